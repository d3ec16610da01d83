//! URLs of databases and of Redis: what is wrong with one, without a word of it that could be a password.

use url::Url;

use super::reader::Refused;

/// Whether a URL is reached by HTTP, and holds no user and password, which logs and issuers would repeat.
pub(super) fn is_http(url: &Url) -> bool {
    ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
}

/// Whether a URL reads as its writer meant it: nothing that belongs to a password has become a path, a query or a
/// fragment, and every key of its query is one of `known`.
pub(super) fn look_at(url: &str, known: &[&str]) -> Result<(), Refused> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let ends = |character: char| "/?#".contains(character);
    let (_, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    // The login stands before the first of these characters: an @ behind it was meant to end a password.
    let is_torn = path.contains('@')
        || query
            .split('&')
            .any(|pair| pair.split('=').next().is_some_and(|key| key.contains('@')));
    if is_torn {
        return Err(Refused::because(
            "a password with one of / ? # @ : in it has to be percent-encoded: %2F %3F %23 %40 %3A",
        ));
    }
    let Ok(url) = Url::parse(url) else {
        return Ok(()); // whoever connects says what is wrong
    };
    if url.fragment().is_some() {
        return Err(Refused::because(
            "nothing may follow a #: there is no TLS without a check of the certificate",
        ));
    }
    let is_known =
        |key: &str| known.contains(&key) || (known.contains(&"options") && key.starts_with("options["));
    if url.query_pairs().all(|(key, _)| is_known(&key)) {
        return Ok(());
    }
    Err(Refused::because(match known {
        [] => "no query is known here".to_owned(),
        // Not the key itself: it may be a part of a password.
        known => format!(
            "its query has a key that isn't known: there are {}",
            known.join(", ")
        ),
    }))
}

/// The host that a PostgreSQL URL leads to, if the way there may be without TLS: none for a socket's folder. `prefer`, which
/// is the default, goes on without TLS where it isn't offered.
pub(super) fn postgres_plaintext_host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = |names: &[&str]| {
        let pairs = url.query_pairs().filter(|(name, _)| names.contains(&&**name));
        pairs.last().map(|(_, value)| value.into_owned())
    };
    let mode = last(&["sslmode", "ssl-mode"]).unwrap_or_default();
    if ["require", "verify-ca", "verify-full"].contains(&mode.to_ascii_lowercase().as_str()) {
        return None;
    }
    let host = last(&["host", "hostaddr"]).or_else(|| url.host_str().map(str::to_owned))?;
    let is_folder = host.starts_with('/') || host.to_ascii_uppercase().starts_with("%2F");
    (!is_folder).then_some(host)
}
