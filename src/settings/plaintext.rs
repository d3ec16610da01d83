//! What production doesn't send in plain text over a network: passwords, codes and phone numbers.

use std::net::IpAddr;

use url::Url;

use super::{Environment, reader::Reader};

/// What a section says of plain text.
pub(super) struct Plaintext {
    /// The key of the address, such as `redis.url`.
    pub(super) key: &'static str,
    /// The key that allows it.
    pub(super) switch: &'static str,
    /// What has to be said to have TLS.
    pub(super) tls: &'static str,
}

impl Plaintext {
    /// Reads the switch. Refuses, in production and unless it is on, an address that leads to another machine without TLS:
    /// `hosts` are those that are reached so.
    pub(super) fn refuse<H: AsRef<str>>(
        &self,
        reader: &mut Reader,
        env: Environment,
        hosts: impl IntoIterator<Item = H>,
    ) {
        let is_allowed = reader.flag(self.switch);
        let exposed = hosts.into_iter().any(|host| !is_this_machine(host.as_ref()));
        if exposed && !is_allowed && env == Environment::Production {
            let Self { tls, switch, .. } = self;
            reader.refuse(
                self.key,
                format!(
                    "must be reached by TLS in production ({tls}), or be on this machine: others could read along. Where \
                     the network between is yours alone, {switch} = true allows it"
                ),
            );
        }
    }
}

/// The host of a URL without TLS.
pub(super) fn plain_host(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|_| url.scheme() == "http")?;
    Some(host.to_owned())
}

/// Whether what is sent to a host stays on this machine. Only names that always mean it: others are up to a resolver.
pub(super) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn this_machine_is_named_by_its_own_names_alone() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "db.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "db",
            "10.0.0.1",
            "0.0.0.0",
            "::",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
