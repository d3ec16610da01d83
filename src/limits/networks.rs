//! Named lists of networks, as of offices and partners, from a file of their own: rules count by a name, or leave it out.

use std::{collections::HashMap, fmt, net::IpAddr, ops::Range, path::Path, sync::Arc};

use ipnet::IpNet;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    client::ClientNetwork,
    fault::{Fault, FileError, read},
};

/// Networks of all lists together.
const MOST: usize = 100_000;
const MAX_NAME_CHARS: usize = 64;
/// Clients are told apart by no more bits of an IPv6 address.
const LONGEST_IPV6: u8 = 64;

/// Which networks have a name.
#[derive(Default, PartialEq, Eq)]
pub struct Networks {
    names: HashMap<IpNet, Arc<str>>,
    /// How long the prefixes are that there are, the longest first: of two that have a client in them, the narrower counts.
    ipv4: Vec<u8>,
    ipv6: Vec<u8>,
}

impl Networks {
    /// Reads a file of lists. Blocks: not for a thread that serves requests.
    ///
    /// # Errors
    /// As for [`read`] and [`Networks::parse`].
    pub fn load(path: &Path) -> Result<Self, FileError> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// Reads lists from a text, such as `office = ["203.0.113.0/24", "2001:db8::/48"]`; `file` is what faults call it.
    ///
    /// # Errors
    /// Every fault. There are no lists then.
    pub fn parse(text: &str, file: &str) -> Result<Self, FileError> {
        let mut reader = Reader::default();
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            reader.fault(
                error.span().unwrap_or(0..0),
                format!("not TOML: {}", error.message()),
            );
        }
        if reader.faults.is_empty() {
            for (name, list) in document.get_ref() {
                reader.list(name, list);
            }
        }
        match reader.faults.is_empty() {
            true => Ok(Self::of(reader.names)),
            false => {
                let faults = reader.faults.into_iter();
                let faults = faults.map(|(span, what)| Fault::at(text, &span, what));
                Err(FileError::faulty(file, faults.collect()))
            }
        }
    }

    fn of(names: HashMap<IpNet, Arc<str>>) -> Self {
        let lengths = |is_ipv4: bool| {
            let of_kind = names.keys().filter(|network| network.addr().is_ipv4() == is_ipv4);
            let mut lengths: Vec<_> = of_kind.map(IpNet::prefix_len).collect();
            lengths.sort_unstable();
            lengths.dedup();
            lengths.reverse();
            lengths
        };
        Self {
            ipv4: lengths(true),
            ipv6: lengths(false),
            names,
        }
    }

    /// The name of the list that a client is in, if it is in one.
    pub(super) fn name_of(&self, client: ClientNetwork) -> Option<Arc<str>> {
        let address = client.address();
        let lengths = match address {
            IpAddr::V4(_) => &self.ipv4,
            IpAddr::V6(_) => &self.ipv6,
        };
        lengths.iter().find_map(|&length| {
            let network = IpNet::new(address, length).ok()?.trunc();
            self.names.get(&network).cloned()
        })
    }

    /// Whether a list has this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.values().any(|known| **known == *name)
    }
}

/// Whether a text may name a list: it stands in keys and logs.
pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|character| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == b'-'
        })
}

#[derive(Default)]
struct Reader {
    names: HashMap<IpNet, Arc<str>>,
    faults: Vec<(Range<usize>, String)>,
}

impl Reader {
    fn list(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, list: &Spanned<DeValue<'_>>) {
        let text: &str = name.get_ref();
        if !is_name(text) {
            let what = format!("{text:?} is no name; allowed: 1 to {MAX_NAME_CHARS} of a-z, 0-9 and -");
            return self.fault(name.span(), what);
        }
        let DeValue::Array(networks) = list.get_ref() else {
            let what =
                format!("{text} is a list in brackets; allowed: [\"203.0.113.0/24\", \"2001:db8::/48\"]");
            return self.fault(list.span(), what);
        };
        let name: Arc<str> = text.into();
        for network in networks.iter() {
            match network.get_ref().as_str().and_then(network_of) {
                None => self.fault(
                    network.span(),
                    format!(
                        "no network; allowed: addresses and networks in quotes, of IPv6 up to /{LONGEST_IPV6}"
                    ),
                ),
                Some(_) if self.names.len() >= MOST => {
                    return self.fault(network.span(), format!("more than {MOST} networks"));
                }
                Some(found) => {
                    let before = self.names.insert(found, Arc::clone(&name));
                    if let Some(other) = before.filter(|other| *other != name) {
                        self.fault(network.span(), format!("{found} is in the list {other} already"));
                    }
                }
            }
        }
    }

    fn fault(&mut self, span: Range<usize>, what: String) {
        self.faults.push((span, what));
    }
}

/// An address, or a network in which no bit is set behind its prefix.
fn network_of(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network: IpNet = text.parse().ok().or_else(address)?;
    let is_short = network.addr().is_ipv4() || network.prefix_len() <= LONGEST_IPV6;
    (is_short && network.trunc() == network).then_some(network)
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Networks({} networks)", self.names.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(networks: &Networks, client: &str) -> Option<String> {
        let client: IpAddr = client.parse().unwrap();
        networks.name_of(client.into()).map(|name| name.to_string())
    }

    #[test]
    fn a_client_has_the_name_of_the_narrowest_network_that_it_is_in() {
        let text = "office = [\"203.0.113.0/24\", \"2001:db8:1::/48\"]\npartner-2 = [\"203.0.113.128/25\", \"198.51.100.7\"]";
        let networks = Networks::parse(text, "networks.toml").unwrap();
        for (client, expected) in [
            ("203.0.113.7", Some("office")),
            ("::ffff:203.0.113.7", Some("office")),
            ("64:ff9b::203.0.113.7", Some("office")),
            ("203.0.113.200", Some("partner-2")),
            ("198.51.100.7", Some("partner-2")),
            ("198.51.100.8", None),
            ("2001:db8:1:ffff::1", Some("office")),
            ("2001:db8:2::1", None),
        ] {
            assert_eq!(name(&networks, client).as_deref(), expected, "{client}");
        }
        assert!(networks.has("office") && !networks.has("home"));
        assert_eq!(
            Networks::parse("# none\n", "networks.toml").unwrap(),
            Networks::default()
        );
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let text = "office = \"203.0.113.0/24\"\nOffice = []\npartner = [\"203.0.113.7/24\", 7,\n  \"2001:db8::/65\", \"host\"]\none = [\"192.0.2.0/24\"]\ntwo = [\"192.0.2.0/24\"]";
        let error = Networks::parse(text, "networks.toml").unwrap_err();
        let places: Vec<_> = error
            .fault_lines()
            .iter()
            .map(|line| line.split(": ").next().unwrap().to_owned())
            .collect();
        let expected = ["1:10", "2:1", "3:12", "3:30", "4:3", "4:20", "6:8"];
        assert_eq!(places, expected.map(|place| format!("networks.toml:{place}")));
        assert!(Networks::parse("office = [", "networks.toml").is_err());
    }
}
