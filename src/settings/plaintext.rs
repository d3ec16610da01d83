//! What production doesn't send in plain text over a network: passwords, codes and phone numbers.

use url::Url;

use super::{environment::Environment, reader::Reader};
use crate::loopback::is_this_machine;

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
