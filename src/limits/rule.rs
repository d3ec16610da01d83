//! What a rule is, which requests it applies to, and which counter it asks for one.

use std::{net::IpAddr, net::Ipv6Addr, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{PREFIX_DIGITS, store::Counter};
use crate::{
    phone::{PhoneDigest, PhoneNumber},
    redis::PARTITIONS,
};

/// What a client asks for: the value of `on` in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Register,
    Login,
    OtpSend,
    OtpVerify,
    TokenRefresh,
    PasswordReset,
    Me,
}

impl Operation {
    /// Every operation, in the order of the contract.
    pub const ALL: [Self; 7] = [
        Self::Register,
        Self::Login,
        Self::OtpSend,
        Self::OtpVerify,
        Self::TokenRefresh,
        Self::PasswordReset,
        Self::Me,
    ];

    /// Its name in rules, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::OtpSend => "otp.send",
            Self::OtpVerify => "otp.verify",
            Self::TokenRefresh => "token.refresh",
            Self::PasswordReset => "password.reset",
            Self::Me => "me",
        }
    }

    /// Whether a request that can't be counted is refused: so it is wherever guessing or sending costs someone
    /// something. `me` and `token.refresh` prove themselves by a token, and go on when Redis is away (promise 6).
    pub const fn is_strict(self) -> bool {
        !matches!(self, Self::TokenRefresh | Self::Me)
    }

    /// Whether requests of this kind can ever carry what `by` counts.
    pub const fn can_be_counted(self, by: By) -> bool {
        match by {
            By::Ip | By::Global => true,
            By::Phone | By::Country | By::Prefix => !matches!(self, Self::TokenRefresh | Self::Me),
            // A refresh token is opaque until the store has read it, so its user isn't known in time.
            By::User => matches!(self, Self::OtpSend | Self::OtpVerify | Self::Me),
        }
    }

    /// Whether the phone's own cluster rules are counted by the script that does the work itself.
    const fn carries_riders(self) -> bool {
        matches!(self, Self::OtpSend | Self::OtpVerify)
    }
}

/// What a rule counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// The client's address; IPv6 by /64.
    Ip,
    /// The phone number, as its keyed digest.
    Phone,
    /// The signed-in user.
    User,
    /// The country that the phone number belongs to.
    Country,
    /// The first six digits of the phone number.
    Prefix,
    /// One counter for all.
    Global,
}

impl By {
    pub const ALL: [Self; 6] = [
        Self::Ip,
        Self::Phone,
        Self::User,
        Self::Country,
        Self::Prefix,
        Self::Global,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Phone => "phone",
            Self::User => "user",
            Self::Country => "country",
            Self::Prefix => "prefix",
            Self::Global => "global",
        }
    }
}

/// Where a rule is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Once for all instances.
    Cluster,
    /// In this process alone.
    Instance,
}

impl Scope {
    pub const ALL: [Self; 2] = [Self::Cluster, Self::Instance];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Instance => "instance",
        }
    }
}

/// What a rule does when its quota is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses.
    Enforce,
    /// It is counted and reported, and never refuses.
    Shadow,
    /// It isn't looked at.
    Off,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Shadow, Self::Off];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// One rule of the limits file. Made by [`super::file::parse`], which alone knows that the numbers are sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique; named in answers, logs and metrics. Letters, digits and `-`: safe in keys and headers.
    pub id: Arc<str>,
    /// `None` is `any`.
    pub on: Option<Operation>,
    pub by: By,
    /// Requests per [`Rule::per`].
    pub quota: u32,
    pub per: Duration,
    /// Requests that may come at once, `1..=quota`.
    pub burst: u32,
    pub scope: Scope,
    pub mode: Mode,
}

impl Rule {
    /// Microseconds that one request costs: `per / quota`, rounded up, so that no quota is ever exceeded.
    pub fn emission_us(&self) -> i64 {
        let per_us = i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX);
        let quota = i64::from(self.quota.max(1));
        per_us / quota + i64::from(per_us % quota != 0)
    }

    /// Whether it is looked at for `operation`.
    pub fn applies_to(&self, operation: Operation) -> bool {
        self.mode != Mode::Off && self.on.is_none_or(|on| on == operation)
    }

    /// Whether the script that issues or judges a code counts it, in one step with the challenge.
    pub fn rides(&self, operation: Operation) -> bool {
        self.scope == Scope::Cluster && self.by == By::Phone && operation.carries_riders()
    }

    /// Which counter `subject` spends from; `None` where the rule doesn't apply to it.
    ///
    /// The texts of different kinds never meet, so a rule whose `by` is changed starts with fresh counters.
    pub fn key(&self, subject: &Subject) -> Option<String> {
        let phone = subject.phone.as_ref();
        match self.by {
            By::Ip => Some(subject.address()),
            By::Phone => phone.map(|(_, digest)| digest.encode()),
            By::User => subject.user.map(|user| user.to_string()),
            By::Country => phone.map(|(number, _)| number.country()),
            By::Prefix => phone.map(|(number, _)| number.prefix(PREFIX_DIGITS).to_owned()),
            By::Global => Some("*".to_owned()),
        }
    }

    /// The cluster's counter that `subject` spends from.
    pub fn counter(&self, subject: &Subject) -> Option<Counter> {
        let key = format!("l:{}:{}", self.id, self.key(subject)?);
        let partition = match (self.by, &subject.phone) {
            // With everything else about the phone, so that its counters can meet in one script.
            (By::Phone, Some((_, digest))) => digest.partition(PARTITIONS),
            _ => partition_of(&key),
        };
        Some(Counter {
            partition,
            key,
            emission_us: self.emission_us(),
            burst: self.burst,
            enforce: self.mode == Mode::Enforce,
        })
    }
}

/// Whom a request is counted against.
#[derive(Debug, Clone)]
pub struct Subject {
    ip: IpAddr,
    /// The number that the request is about, and its digest.
    pub phone: Option<(PhoneNumber, PhoneDigest)>,
    /// The user whose token came with it.
    pub user: Option<Uuid>,
}

impl Subject {
    /// A client by its address. IPv4 written as IPv6 is IPv4; of IPv6 the first 64 bits count, since that is what one
    /// customer is given (RFC 6177), so that 10,000 addresses of one /64 are one client.
    pub fn new(ip: IpAddr) -> Self {
        let ip = match ip.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self {
            ip,
            phone: None,
            user: None,
        }
    }

    /// The same client, asking about a number.
    #[must_use]
    pub fn with_phone(self, number: PhoneNumber, digest: PhoneDigest) -> Self {
        Self {
            phone: Some((number, digest)),
            ..self
        }
    }

    /// The same client, signed in.
    #[must_use]
    pub fn with_user(self, user: Option<Uuid>) -> Self {
        Self { user, ..self }
    }

    fn address(&self) -> String {
        match self.ip {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(network) => format!("{network}/64"),
        }
    }
}

/// The rules in force. Empty means no limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSet(Vec<Arc<Rule>>);

impl RuleSet {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into_iter().map(Arc::new).collect())
    }

    /// In the order of the file.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.0
    }

    /// The rule with this id.
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        self.0.iter().find(|rule| &*rule.id == id)
    }
}

/// Spreads counters over the partitions, alike in every instance and version (FNV-1a).
fn partition_of(key: &str) -> u8 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The remainder is below 64, so nothing is cut off.
    (hash % u64::from(PARTITIONS)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::PhoneCheck;

    fn rule(by: By) -> Rule {
        Rule {
            id: "r".into(),
            on: None,
            by,
            quota: 7,
            per: Duration::from_secs(3600),
            burst: 7,
            scope: Scope::Cluster,
            mode: Mode::Enforce,
        }
    }

    fn subject(ip: &str) -> Subject {
        Subject::new(ip.parse().unwrap())
    }

    fn with_phone(text: &str) -> Subject {
        let number = PhoneNumber::parse(text, PhoneCheck::E164).unwrap();
        let digest = PhoneDigest::decode("AQIDBAUGBwgJCgsMDQ4PEA").unwrap();
        subject("203.0.113.7").with_phone(number, digest)
    }

    #[test]
    fn a_client_is_its_address_however_it_is_written() {
        for (ip, key) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ] {
            assert_eq!(rule(By::Ip).key(&subject(ip)).as_deref(), Some(key), "{ip}");
        }
    }

    #[test]
    fn a_rule_whose_subject_is_missing_does_not_apply() {
        for by in [By::Phone, By::Country, By::Prefix, By::User] {
            assert_eq!(rule(by).key(&subject("203.0.113.7")), None, "{by:?}");
        }
        assert!(rule(By::Global).key(&subject("203.0.113.7")).is_some());
    }

    #[test]
    fn a_phone_is_counted_by_digest_country_and_prefix_never_in_clear() {
        let phone = with_phone("+442079460958");
        let keys = [By::Phone, By::Country, By::Prefix].map(|by| rule(by).key(&phone).unwrap());
        assert_eq!(keys, ["AQIDBAUGBwgJCgsMDQ4PEA", "GB", "442079"]);
    }

    #[test]
    fn the_phones_own_counters_lie_where_its_challenge_lies() {
        let phone = with_phone("+442079460958");
        let counter = rule(By::Phone).counter(&phone).unwrap();
        assert_eq!(counter.key, "l:r:AQIDBAUGBwgJCgsMDQ4PEA");
        assert_eq!(counter.partition, phone.phone.unwrap().1.partition(PARTITIONS));
    }

    #[test]
    fn the_cost_of_a_request_is_rounded_so_that_no_quota_is_exceeded() {
        let cost = rule(By::Ip).emission_us();
        assert!(cost * 7 >= 3_600_000_000 && (cost - 1) * 7 < 3_600_000_000);
    }

    #[test]
    fn an_operation_is_the_index_of_its_rules() {
        assert!(
            Operation::ALL
                .iter()
                .enumerate()
                .all(|(index, &operation)| operation as usize == index)
        );
    }

    #[test]
    fn only_the_phones_cluster_rules_ride_with_a_code() {
        let riding = |operation| rule(By::Phone).rides(operation);
        assert!(riding(Operation::OtpSend) && riding(Operation::OtpVerify));
        assert!(!riding(Operation::Login) && !rule(By::Ip).rides(Operation::OtpSend));
        let instance = Rule {
            scope: Scope::Instance,
            ..rule(By::Phone)
        };
        assert!(!instance.rides(Operation::OtpSend));
    }
}
