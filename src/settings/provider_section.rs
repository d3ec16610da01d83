//! What the sections of the SMS providers have in common.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{
    fault::{Fault, Source},
    reader::{Reader, Refused},
    urls::is_http,
    value::{MINUTE, SECOND},
};

/// What [`base_url`] takes.
pub(super) const BASE_URL: &str = "http:// or https:// with a host, without user, query or fragment";

/// Calls in one second that a section may ask for.
pub(super) const MAX_PACE: u32 = 10_000;

/// An account at a provider, and its pace.
#[derive(Debug, Clone)]
pub struct ProviderSettings<T> {
    pub options: T,
    /// Calls in any one second, at most; 0 is no bound.
    pub max_per_second: u32,
}

/// A provider's section: it is in use where its whole account is set.
pub(super) struct Reading<T> {
    /// What a fault calls it.
    account: &'static str,
    /// The settings, if all of the account is set and sound.
    pub(super) settings: Option<ProviderSettings<T>>,
    /// The variables that set the rest of the account; all of them where nothing is set.
    missing: Vec<&'static str>,
    is_absent: bool,
}

impl<T> Reading<T> {
    /// Tells what is missing of an account by its `parts`: the key of each, the variable that usually sets it, and
    /// whether it was set.
    pub(super) fn new<const N: usize>(
        reader: &Reader,
        account: &'static str,
        parts: [(&'static str, &'static str, bool); N],
        settings: Option<ProviderSettings<T>>,
    ) -> Self {
        // What is set, but faulty, has its own line.
        let missing = parts
            .iter()
            .filter(|(key, _, set)| !set && !reader.is_faulty(key));
        let missing: Vec<_> = missing.map(|(_, variable, _)| *variable).collect();
        Self {
            account,
            settings,
            is_absent: missing.len() == N,
            missing,
        }
    }

    /// Whether nothing of the account is set.
    pub(super) fn is_absent(&self) -> bool {
        self.is_absent
    }

    /// A part of an account sends nothing: it is more likely forgotten than meant.
    pub(super) fn demand_whole(&self, reader: &mut Reader) {
        if !self.missing.is_empty() && !self.is_absent {
            reader.push(Fault::new(
                Source::Environment(self.missing.join(", ")),
                None,
                format!(
                    "not set, though the rest of {} is: must all be set, or none of them",
                    self.account
                ),
            ));
        }
    }
}

/// How long connecting, and one whole call, may take.
pub(super) fn timeouts(
    reader: &mut Reader,
    connect_key: &'static str,
    key: &'static str,
    lease: Duration,
) -> (Duration, Duration) {
    let connect_timeout = reader.duration(connect_key, SECOND / 20..=30 * SECOND);
    let timeout = reader.duration(key, SECOND / 20..=MINUTE);
    // Longer, and another dispatcher would take the message over while this one still sends it: two SMS.
    let timeout = reader.at_most(key, timeout, "delivery.lease", lease);
    (
        reader.at_most(connect_key, connect_timeout, key, timeout),
        timeout,
    )
}

/// An address that a path can be added to.
pub(super) fn base_url(text: &str) -> Result<Url, Refused> {
    let url = Url::parse(text).map_err(Refused::because)?;
    let sound = is_http(&url) && url.query().is_none() && url.fragment().is_none();
    if sound { Ok(url) } else { Err(Refused::default()) }
}

/// A token that goes into a header.
pub(super) fn secret(text: &str) -> Result<SecretString, Refused> {
    let sound = text.len() <= 256 && text.bytes().all(|character| character.is_ascii_graphic());
    if sound {
        Ok(text.into())
    } else {
        Err(Refused::default())
    }
}

/// Goes into a path or a login, so it holds nothing that means something there.
pub(super) fn identifier(text: &str) -> Result<String, Refused> {
    let sound = text.len() <= 64
        && text
            .bytes()
            .all(|character| character.is_ascii_alphanumeric() || character == b'_');
    if sound {
        Ok(text.to_owned())
    } else {
        Err(Refused::default())
    }
}
