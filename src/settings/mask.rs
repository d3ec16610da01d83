//! What of a value may be shown.

use super::value::{Value, quoted};

const MASK: &str = "***";

/// Keys whose value is never shown.
const SECRETS: [&str; 7] = [
    "secret.keys",
    "server.ops_token",
    "test_numbers.codes",
    "twilio.api_secret",
    "twilio.auth_token",
    "vonage.api_secret",
    "webhook.secret",
];
/// Keys whose value is a URL, or several, that may hold a password.
const URLS: [&str; 3] = ["database.url", "mail.url", "redis.url"];

/// Parameters of such URLs that are no secrets.
const PLAIN_PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "port",
    "protocol",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "tls",
];

/// Keys whose value is a list of tables, of which these fields alone are shown: another may be a secret whose name was misspelled.
const SHOWN_FIELDS: [(&str, &[&str]); 1] = [("events.webhook", &["allow_plaintext", "kinds", "name", "url"])];

/// The value of a known key, as TOML.
pub(super) fn shown(key: &str, value: &Value) -> String {
    if let Some((_, fields)) = SHOWN_FIELDS.iter().find(|(table, _)| *table == key) {
        return with_fields(fields, value).map_or_else(|| quoted(MASK), |masked| masked.to_string());
    }
    match value.as_text() {
        Some("") => quoted(""),
        None if *value == Value::List(Vec::new()) => value.to_string(),
        _ if SECRETS.contains(&key) => quoted(MASK),
        Some(text) if URLS.contains(&key) => {
            // Text without a scheme may be a password that was put into the wrong variable.
            quoted(&if text.contains("://") {
                without_passwords(text)
            } else {
                MASK.to_owned()
            })
        }
        _ if URLS.contains(&key) => quoted(MASK),
        Some(text) => quoted(&without_passwords(text)),
        None => without_passwords(&value.to_string()),
    }
}

/// Tables in which all but some fields are masked; none where it is something else.
fn with_fields(shown: &[&str], value: &Value) -> Option<Value> {
    let Value::List(items) = value else {
        return None;
    };
    let masked = items.iter().map(|item| match item {
        Value::Record(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let value = match value {
                    Value::Text(text) if shown.contains(&&**name) => Value::Text(without_passwords(text)),
                    Value::Flag(_) | Value::List(_) if shown.contains(&&**name) => value.clone(),
                    _ => Value::Text(MASK.to_owned()),
                };
                (name.clone(), value)
            });
            Some(Value::Record(fields.collect()))
        }
        _ => None,
    });
    masked.collect::<Option<_>>().map(Value::List)
}

/// The value of a key that isn't known. It may be a secret whose key was misspelled: it is shown only if it is plain
/// which key was `meant`, and that one isn't sensitive.
pub(super) fn shown_unknown(meant: Option<&str>, value: &Value) -> String {
    match (meant, value) {
        (_, Value::Table) => value.to_string(),
        (Some(key), _) => shown(key, value),
        (None, _) => quoted(MASK),
    }
}

/// URLs in which whatever may be a password is masked.
///
/// Works on text, not on a parsed URL: the one that is shown in a fault is the one that could not be parsed.
pub(super) fn without_passwords(text: &str) -> String {
    // A Redis Cluster's list. A comma may stand in a password too: where the parts don't all look alike, it is one.
    let parts = split_before_schemes(text);
    let logins = parts.iter().filter(|part| part.contains('@')).count();
    if logins == parts.len() || logins == 0 {
        parts
            .iter()
            .map(|part| mask_one(part))
            .collect::<Vec<_>>()
            .join(",")
    } else {
        mask_one(text)
    }
}

fn split_before_schemes(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.match_indices(',').map(|(at, _)| at).find(|at| {
        ["redis://", "rediss://"]
            .iter()
            .any(|scheme| rest[at + 1..].trim_start().starts_with(scheme))
    }) {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

fn mask_one(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // The last @, since an unescaped one in the password is just what makes a URL faulty.
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => match login.split_once(':') {
            Some((user, _)) => (format!("{user}:{MASK}@"), rest),
            // Without a colon: a user, or a password by itself.
            None => (format!("{MASK}@"), rest),
        },
        None => (String::new(), rest),
    };
    format!("{scheme}://{login}{}", mask_query(rest))
}

/// A query may have a password, as libpq's does (`?password=…`), or a token: what is plainly neither is shown.
fn mask_query(rest: &str) -> String {
    if let Some((rest, _)) = rest.split_once('#') {
        return format!("{}#{MASK}", mask_query(rest));
    }
    let Some((path, query)) = rest.split_once('?') else {
        return rest.to_owned();
    };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if !PLAIN_PARAMETERS.contains(&name) => format!("{name}={MASK}"),
        None if !pair.is_empty() => MASK.to_owned(),
        _ => pair.to_owned(),
    };
    format!(
        "{path}?{}",
        query.split('&').map(mask).collect::<Vec<_>>().join("&")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_url_is_shown() {
        for (url, masked) in [
            ("postgres://u:hush@h/db", "postgres://u:***@h/db"),
            ("postgres://u:hu/sh@hush@h:1/db", "postgres://u:***@h:1/db"),
            (
                "postgres://u:hush@h/db?password=hush&sslmode=require",
                "postgres://u:***@h/db?password=***&sslmode=require",
            ),
            ("redis://hush@h", "redis://***@h"),
            ("redis://:hush@h:1", "redis://:***@h:1"),
            (
                "redis://:hush@a:1, redis://:hush@b:2",
                "redis://:***@a:1, redis://:***@b:2",
            ),
            ("redis://:hush,redis://hush@b:2", "redis://:***@b:2"),
            (
                "redis+sentinel://u:hush@a:1,b:2/main",
                "redis+sentinel://u:***@a:1,b:2/main",
            ),
            ("redis://a:1,redis://b:2", "redis://a:1,redis://b:2"),
            ("http://u:hush@h/", "http://u:***@h/"),
            (
                "https://h/in?token=hush&hush#hush",
                "https://h/in?token=***&***#***",
            ),
            ("smtp://h:25/?tls=required", "smtp://h:25/?tls=required"),
        ] {
            assert_eq!(without_passwords(url), masked, "{url}");
        }
    }

    #[test]
    fn the_secret_of_a_table_is_not_shown() {
        let text = |text: &str| Value::Text(text.to_owned());
        let record = |secret: Value| {
            Value::Record(vec![
                ("url".to_owned(), text("https://u:hush@x/")),
                ("secret".to_owned(), secret),
            ])
        };
        for secret in [text("hush"), Value::List(vec![text("hush")]), Value::Integer(7)] {
            let value = Value::List(vec![record(secret)]);
            assert_eq!(
                shown("events.webhook", &value),
                "[{ url = \"https://u:***@x/\", secret = \"***\" }]"
            );
        }
        for name in ["secrett", "secret_old", "signing_secret", "token", "Secret"] {
            for value in [text("hush"), Value::Flag(true), Value::List(vec![text("hush")])] {
                let table = Value::Record(vec![(name.to_owned(), value)]);
                assert_eq!(
                    shown("events.webhook", &Value::List(vec![table])),
                    format!("[{{ {name} = \"***\" }}]")
                );
            }
        }
        for value in [text("hush"), Value::List(vec![text("hush")])] {
            assert_eq!(shown("events.webhook", &value), "\"***\"");
        }
        assert_eq!(shown("events.webhook", &Value::List(Vec::new())), "[]");
    }

    #[test]
    fn a_secret_is_not_shown_whatever_its_type_and_however_its_key_is_spelled() {
        let hush = Value::Text("hush".to_owned());
        let list = Value::List(vec![hush.clone()]);
        for value in [&hush, &list] {
            for key in SECRETS.into_iter().chain(URLS) {
                assert_eq!(shown(key, value), "\"***\"", "{key}");
            }
            assert_eq!(shown_unknown(Some("twilio.auth_token"), value), "\"***\"");
            assert_eq!(shown_unknown(None, value), "\"***\"");
        }
        assert_eq!(shown_unknown(Some("otp.ttl"), &hush), "\"hush\"");
    }
}
