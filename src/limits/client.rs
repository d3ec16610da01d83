//! Who a client is, by the address that it comes from.

use std::{
    fmt::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Room for the text of every IPv4 address and most networks.
const ROOM_FOR_TEXT: usize = 24;

/// 64:ff9b::/96: IPv4 as a translator writes it for a host that has IPv6 alone (RFC 6052). They are as many clients as
/// there are addresses, in what would be one network.
const TRANSLATED: u128 = 0x0064_ff9b_0000_0000_0000_0000;

/// 2002::/16: the networks that each IPv4 address has by 6to4 (RFC 3056).
const SIX_TO_FOUR: u128 = 0x2002;

/// A client by its address: IPv4 whole, and of IPv6 the network that one customer is given, so that 10,000 addresses of
/// one network are one client. IPv4 written as IPv6 is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork {
    address: IpAddr,
    prefix: u8,
}

impl ClientNetwork {
    /// What a customer is usually given (RFC 6177).
    const USUAL_PREFIX: u8 = 64;

    /// The client at `address`; `ipv6_prefix` is the length of a customer's IPv6 network.
    pub fn of(address: IpAddr, ipv6_prefix: u8) -> Self {
        let prefix = ipv6_prefix.min(128);
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or_default();
        let address = match address.to_canonical() {
            IpAddr::V6(v6) if v6.to_bits() >> 32 == TRANSLATED => {
                let [.., a, b, c, d] = v6.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            IpAddr::V6(v6) if v6.to_bits() >> 112 == SIX_TO_FOUR => {
                let [_, _, a, b, c, d, ..] = v6.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { address, prefix }
    }

    /// Its address; of IPv6, with no bit behind the network.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// The network of so many bits that it is in, if that is a larger one; of IPv4 itself.
    #[must_use]
    pub fn widened(self, ipv6_prefix: u8) -> Self {
        Self::of(self.address, self.prefix.min(ipv6_prefix))
    }

    /// As [`fmt::Display`] shows it. Every request is counted by it, and the standard library takes long to write an IPv4
    /// address.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(ROOM_FOR_TEXT);
        match self.address {
            IpAddr::V4(v4) => write_v4(v4, &mut text),
            IpAddr::V6(network) => {
                let _ = write!(text, "{network}/{}", self.prefix);
            }
        }
        text
    }

    /// The network that is kept for people to read: of IPv4 the /24, of IPv6 the /48 at most. It tells a town from
    /// another, and no household from its neighbours.
    pub fn coarse(&self) -> String {
        match self.address {
            IpAddr::V4(v4) => {
                let mut text = String::with_capacity(ROOM_FOR_TEXT);
                write_v4(Ipv4Addr::from_bits(v4.to_bits() & !0xff), &mut text);
                text.push_str("/24");
                text
            }
            IpAddr::V6(_) => self.widened(48).text(),
        }
    }

    /// Reads an address, or an IPv6 network as [`fmt::Display`] shows it.
    pub fn parse(text: &str, ipv6_prefix: u8) -> Option<Self> {
        let network = format!("/{ipv6_prefix}");
        let address = text.strip_suffix(&network).unwrap_or(text).parse().ok()?;
        Some(Self::of(address, ipv6_prefix))
    }
}

fn write_v4(address: Ipv4Addr, text: &mut String) {
    // "255.255.255.255", and a dot more.
    let (mut room, mut end) = ([0; 16], 0);
    let mut add = |character: u8| {
        room[end & 15] = character;
        end += 1;
    };
    for octet in address.octets() {
        if octet >= 100 {
            add(b'0' + octet / 100);
        }
        if octet >= 10 {
            add(b'0' + octet / 10 % 10);
        }
        add(b'0' + octet % 10);
        add(b'.');
    }
    text.push_str(str::from_utf8(&room[..end - 1]).unwrap_or_default());
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        Self::of(address, Self::USUAL_PREFIX)
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_his_address_however_it_is_written() {
        for (ip, text) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("64:ff9b::203.0.113.7", "203.0.113.7"),
            ("64:ff9b:1::203.0.113.7", "64:ff9b:1::/64"),
            ("2002:cb00:7107:1:2::3", "203.0.113.7"),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ] {
            let client = ClientNetwork::from(ip.parse::<IpAddr>().unwrap());
            assert_eq!(client.to_string(), text, "{ip}");
            assert_eq!(ClientNetwork::parse(text, 64), Some(client));
        }
    }

    #[test]
    fn what_is_kept_of_an_address_is_coarse() {
        for (ip, prefix, text) in [
            ("203.0.113.7", 64, "203.0.113.0/24"),
            ("2001:db8:1:2:aaaa::1", 64, "2001:db8:1::/48"),
            ("2001:db8:1:2:aaaa::1", 128, "2001:db8:1::/48"),
            ("2001:db8:1:2:aaaa::1", 32, "2001:db8::/32"),
        ] {
            let client = ClientNetwork::of(ip.parse().unwrap(), prefix);
            assert_eq!(client.coarse(), text, "{ip}");
        }
    }

    #[test]
    fn a_network_may_be_larger_or_smaller() {
        let of = |prefix| ClientNetwork::of("2001:db8:12:3456::9".parse().unwrap(), prefix).to_string();
        assert_eq!(
            [32, 48, 56, 128].map(of),
            [
                "2001:db8::/32",
                "2001:db8:12::/48",
                "2001:db8:12:3400::/56",
                "2001:db8:12:3456::9/128"
            ]
        );
        let v4 = ClientNetwork::of("203.0.113.7".parse().unwrap(), 32);
        assert_eq!(v4.to_string(), "203.0.113.7");
        for nonsense in ["", "2001:db8::/48", "203.0.113.7/24", "host"] {
            assert_eq!(ClientNetwork::parse(nonsense, 64), None, "{nonsense}");
        }
    }
}
