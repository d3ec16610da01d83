//! The tables `[[events.webhook]]`: receivers of events.

use std::collections::BTreeSet;

use url::Url;

use super::{
    environment::Environment,
    plaintext::plain_host,
    provider_section::base_url,
    reader::{Reader, Refused},
    value::Value,
};
use crate::{
    events::{EventKinds, EventWebhook},
    loopback::is_this_machine,
    webhook::WebhookKeys,
};

const KEY: &str = "events.webhook";
const ALLOWED: &str =
    "tables [[events.webhook]] with name, url, secret and, optional, kinds and allow_plaintext";
/// Each has a task that looks every second.
const MOST: usize = 20;

/// Reads them. In production one that others could read along is refused, unless it allows it.
pub(super) fn read(reader: &mut Reader, env: Environment) -> Vec<EventWebhook> {
    let read = reader.records(KEY, ALLOWED, |fields| one(fields, env));
    let names: BTreeSet<_> = read.iter().map(|webhook| webhook.name.as_str()).collect();
    if names.len() < read.len() {
        reader.refuse(KEY, "must have a name of its own each");
    }
    if read.len() > MOST {
        reader.refuse(KEY, format!("must be {MOST} at most"));
    }
    read
}

fn one(fields: &[(String, Value)], env: Environment) -> Result<EventWebhook, Refused> {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let text = |name: &str| match field(name) {
        Some(Value::Text(text)) => Ok(text.as_str()),
        Some(_) => Err(Refused::because(format!("{name} is not a text in quotes"))),
        None => Err(Refused::because(format!("{name} is missing"))),
    };
    const FIELDS: [&str; 5] = ["name", "url", "secret", "kinds", "allow_plaintext"];
    if let Some((unknown, _)) = fields.iter().find(|(key, _)| !FIELDS.contains(&key.as_str())) {
        return Err(Refused::because(format!("there is no {unknown}")));
    }
    let name = text("name")?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=40).contains(&name.len()) || !name.bytes().all(is_plain) {
        return Err(Refused::because(
            "name has 1 to 40 lower-case letters, digits and hyphens",
        ));
    }
    let url: Url = base_url(text("url")?)
        .map_err(|_| Refused::because("url is an http or https URL without login, query and fragment"))?;
    let keys = WebhookKeys::parse(text("secret")?).ok_or_else(|| {
        Refused::because("secret has 24 to 64 random bytes in base64, with or without whsec_ before it, up to four with commas between them")
    })?;
    let allows = match field("allow_plaintext") {
        None => false,
        Some(Value::Flag(flag)) => *flag,
        Some(_) => return Err(Refused::because("allow_plaintext is true or false")),
    };
    let is_exposed = plain_host(&url).is_some_and(|host| !is_this_machine(&host));
    if is_exposed && !allows && env == Environment::Production {
        return Err(Refused::because(
            "url must be https:// in production, or be on this machine; where the network between is yours alone, allow_plaintext = true allows it",
        ));
    }
    Ok(EventWebhook {
        name: name.to_owned(),
        url,
        keys,
        kinds: kinds(field("kinds"))?,
    })
}

fn kinds(value: Option<&Value>) -> Result<EventKinds, Refused> {
    let refused =
        || Refused::because("kinds is a list of kinds of events, such as password.changed, or phone.*");
    let names = match value {
        None => Vec::new(),
        Some(Value::List(items)) => items
            .iter()
            .map(|item| match item {
                Value::Text(text) => Ok(text.as_str()),
                _ => Err(refused()),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(refused()),
    };
    EventKinds::parse(names).map_err(|_| refused())
}
