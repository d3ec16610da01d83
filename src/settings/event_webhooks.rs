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
    const FIELDS: [&str; 5] = ["name", "url", "secret", "kinds", "allow_plaintext"];
    let unknown = fields.iter().filter(|(key, _)| !FIELDS.contains(&key.as_str()));
    let mut wrong: Vec<String> = unknown.map(|(key, _)| format!("there is no {key}")).collect();
    let fields = Fields(fields);
    let name = noted(fields.name(), &mut wrong);
    let allows = noted(fields.allows_plaintext(), &mut wrong);
    let may_be_plain = allows != Some(false) || env != Environment::Production;
    let url = noted(fields.url(may_be_plain), &mut wrong);
    let keys = noted(fields.keys(), &mut wrong);
    let kinds = noted(fields.kinds(), &mut wrong);
    match (name, url, keys, kinds) {
        (Some(name), Some(url), Some(keys), Some(kinds)) if wrong.is_empty() => Ok(EventWebhook {
            name,
            url,
            keys,
            kinds,
        }),
        _ => Err(Refused::because(wrong.join("; "))),
    }
}

/// What was read; what is wrong is noted.
fn noted<T>(read: Result<T, String>, wrong: &mut Vec<String>) -> Option<T> {
    read.map_err(|what| wrong.push(what)).ok()
}

/// The fields of a table. None of what is said of them repeats a secret.
struct Fields<'a>(&'a [(String, Value)]);

impl Fields<'_> {
    fn field(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        match self.field(name) {
            Some(Value::Text(text)) => Ok(text),
            Some(_) => Err(format!("{name} is not a text in quotes")),
            None => Err(format!("{name} is missing")),
        }
    }

    fn name(&self) -> Result<String, String> {
        let name = self.text("name")?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match (1..=40).contains(&name.len()) && name.bytes().all(is_plain) {
            true => Ok(name.to_owned()),
            false => Err("name has 1 to 40 lower-case letters, digits and hyphens".to_owned()),
        }
    }

    fn allows_plaintext(&self) -> Result<bool, String> {
        match self.field("allow_plaintext") {
            None => Ok(false),
            Some(Value::Flag(flag)) => Ok(*flag),
            Some(_) => Err("allow_plaintext is true or false".to_owned()),
        }
    }

    fn url(&self, may_be_plain: bool) -> Result<Url, String> {
        let url: Url = base_url(self.text("url")?)
            .map_err(|_| "url is an http or https URL without login, query and fragment".to_owned())?;
        let is_exposed = plain_host(&url).is_some_and(|host| !is_this_machine(&host));
        if is_exposed && !may_be_plain {
            return Err(
                "url must be https:// in production, or be on this machine; where the network between is yours alone, \
                 allow_plaintext = true allows it"
                    .to_owned(),
            );
        }
        Ok(url)
    }

    fn keys(&self) -> Result<WebhookKeys, String> {
        WebhookKeys::parse(self.text("secret")?).ok_or_else(|| {
            "secret has 24 to 64 random bytes in base64, with or without whsec_ before it, up to four with commas between them"
                .to_owned()
        })
    }

    fn kinds(&self) -> Result<EventKinds, String> {
        let refused =
            || "kinds is a list of kinds of events, such as password.changed, or phone.*".to_owned();
        let names: Vec<&str> = match self.field("kinds") {
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
}
