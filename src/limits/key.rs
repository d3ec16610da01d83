//! Rule keys: what a rule counts by, one thing that a request carries or two of them together.

use std::{fmt, ops::RangeInclusive};

use crate::channel::Channel;

/// The longest number has 15 digits (ITU-T E.164).
const MAX_PREFIX: u8 = 15;
/// From what a provider has to what a customer has at least.
const IPV6_PREFIXES: RangeInclusive<u8> = 16..=64;

/// One thing that requests are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyDimension {
    /// The client's address; of IPv6 the network.
    Ip,
    /// The same with a network of so many bits of IPv6.
    IpNetwork(u8),
    /// The list of networks that the client is in.
    Network,
    /// The phone number, as its keyed digest.
    Phone,
    /// The e-mail address that a code goes to, or that an account is registered with; as its keyed digest.
    Email,
    /// The signed-in user; at a login, the account that it names.
    User,
    /// The country that the phone number belongs to.
    Country,
    /// So many first digits of the phone number.
    Prefix(u8),
    /// One counter for all.
    Global,
}

impl KeyDimension {
    /// Each kind once, in the order of the contract; the prefix with its usual length: the country and the block that
    /// SMS pumpers walk through.
    pub const KINDS: [Self; 8] = [
        Self::Ip,
        Self::Phone,
        Self::Email,
        Self::User,
        Self::Country,
        Self::Prefix(6),
        Self::Network,
        Self::Global,
    ];

    /// Reads `ip`, `ip:16` to `ip:64`, `phone`, `email`, `user`, `country`, `prefix`, `prefix:1` to `prefix:15`, `network`, `global`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str, allowed: RangeInclusive<u8>| {
            let plain = !text.starts_with(['0', '+']);
            text.parse()
                .ok()
                .filter(|number| plain && allowed.contains(number))
        };
        if let Some(digits) = text.strip_prefix("prefix:") {
            return number(digits, 1..=MAX_PREFIX).map(Self::Prefix);
        }
        if let Some(bits) = text.strip_prefix("ip:") {
            return number(bits, IPV6_PREFIXES).map(Self::IpNetwork);
        }
        Self::KINDS.into_iter().find(|by| by.kind() == text)
    }

    /// Whether a request about a code that goes by `channel` can have it.
    pub const fn is_carried_by(self, channel: Channel) -> bool {
        match self {
            Self::Phone | Self::Country | Self::Prefix(_) => matches!(channel, Channel::Sms),
            Self::Email => matches!(channel, Channel::Email),
            Self::Ip | Self::IpNetwork(_) | Self::Network | Self::User | Self::Global => true,
        }
    }

    /// The address that a code by `channel` goes to.
    pub const fn address_of(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::Phone,
            Channel::Email => Self::Email,
        }
    }

    /// Its name without a length.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Ip | Self::IpNetwork(_) => "ip",
            Self::Network => "network",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::User => "user",
            Self::Country => "country",
            Self::Prefix(_) => "prefix",
            Self::Global => "global",
        }
    }
}

impl fmt::Display for KeyDimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(digits) => write!(f, "prefix:{digits}"),
            Self::IpNetwork(bits) => write!(f, "ip:{bits}"),
            other => f.write_str(other.kind()),
        }
    }
}

/// What a rule counts by: one thing, or two. A rule by two applies to requests that carry both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleKey(KeyDimension, Option<KeyDimension>);

impl RuleKey {
    /// Two things together; `None` where that would be one thing: twice the same kind, or `global`, which adds nothing.
    pub fn pair(first: KeyDimension, second: KeyDimension) -> Option<Self> {
        let distinct =
            first.kind() != second.kind() && first != KeyDimension::Global && second != KeyDimension::Global;
        distinct.then_some(Self(first, Some(second)))
    }

    /// What it consists of, in the order of the file.
    pub fn parts(self) -> impl Iterator<Item = KeyDimension> {
        std::iter::once(self.0).chain(self.1)
    }
}

impl From<KeyDimension> for RuleKey {
    fn from(by: KeyDimension) -> Self {
        Self(by, None)
    }
}

impl fmt::Display for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            None => self.0.fmt(f),
            Some(second) => write!(f, "{}+{second}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_shown() {
        for by in KeyDimension::KINDS
            .into_iter()
            .chain((1..=15).map(KeyDimension::Prefix))
            .chain((16..=64).map(KeyDimension::IpNetwork))
        {
            assert_eq!(KeyDimension::parse(&by.to_string()), Some(by), "{by}");
        }
        assert_eq!(KeyDimension::parse("prefix"), Some(KeyDimension::Prefix(6)));
        for text in [
            "",
            "IP",
            "prefix:",
            "prefix:0",
            "prefix:16",
            "prefix:+4",
            "prefix:04",
            "prefix:x",
            "ip:",
            "ip:15",
            "ip:65",
            "ip:048",
        ] {
            assert_eq!(KeyDimension::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_pair_is_of_two_kinds_that_tell_requests_apart() {
        assert!(RuleKey::pair(KeyDimension::Ip, KeyDimension::Phone).is_some());
        for (first, second) in [
            (KeyDimension::Ip, KeyDimension::Ip),
            (KeyDimension::Ip, KeyDimension::IpNetwork(48)),
            (KeyDimension::Prefix(3), KeyDimension::Prefix(6)),
            (KeyDimension::Ip, KeyDimension::Global),
            (KeyDimension::Global, KeyDimension::Ip),
        ] {
            assert_eq!(RuleKey::pair(first, second), None, "{first} {second}");
        }
    }
}
