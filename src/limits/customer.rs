//! How operators name a customer, read into the names of counters.

use thiserror::Error;
use uuid::Uuid;

use super::{
    asker::Holders,
    client::ClientNetwork,
    key::{KeyDimension, RuleKey},
    names::{LoginDigest, key_of_login, push_prefix},
    networks::is_name,
};
use crate::{
    email::{EmailAddress, EmailDigest, EmailError},
    phone::{Country, PhoneCheck, PhoneDigest, PhoneError, PhoneNumber},
    secrets::SecretKeys,
};

/// Why a text names no customer of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("the rule counts by {by}: name {wanted} of them, with a comma between")]
    Parts { by: RuleKey, wanted: usize },
    #[error("not an IP address")]
    Ip,
    #[error("not a phone number: {0}")]
    Phone(#[from] PhoneError),
    #[error("not an e-mail address: {0}")]
    Email(#[from] EmailError),
    #[error("the rule counts by {0}: name them in this order, with a comma between")]
    Order(RuleKey),
    #[error("not a user's id; at a login, an e-mail address or a phone number names the account")]
    User,
    #[error("not a country: two capital letters of ISO 3166-1 such as US, or ZZ for numbers of no country")]
    Country,
    #[error("not a prefix: at least {0} digits")]
    Prefix(u8),
    #[error("not the name of a list of networks")]
    Network,
    #[error("the rule has one counter for all: its key is *")]
    Global,
}

/// The names of a rule's counters, from what operators call the customer: an address, a phone number, a user's id or
/// login, a country, a prefix, or two of them with a comma between. Those of `holders` are among them, where the customer is
/// one that strangers ask about as well; the strangers' is the first. `ipv6_prefix` is as for [`ClientNetwork::of`].
///
/// # Errors
/// What is wrong with the text.
pub fn keys_of(
    by: RuleKey,
    text: &str,
    keys: &SecretKeys,
    ipv6_prefix: u8,
    holders: &Holders,
) -> Result<Vec<String>, KeyError> {
    let texts: Vec<_> = text.split(',').map(str::trim).collect();
    let wanted = by.parts().count();
    if texts.len() != wanted {
        return Err(KeyError::Parts { by, wanted });
    }
    let part = |(by, text): (KeyDimension, &str)| part_of(by, text, keys, ipv6_prefix);
    let names = |(by, text)| {
        let name = part((by, text))?;
        Ok(match by {
            KeyDimension::Phone | KeyDimension::Email => holders.names(&name),
            KeyDimension::User if !matches!(account(text), Some(Account::User(_))) => holders.names(&name),
            _ => vec![name],
        })
    };
    let parts: Result<Vec<_>, _> = by.parts().zip(texts.iter().copied()).map(names).collect();
    let in_order = parts.map(|parts| {
        parts.into_iter().reduce(|first, second| {
            let pairs = first
                .iter()
                .flat_map(|one| second.iter().map(move |two| format!("{one},{two}")));
            pairs.collect()
        })
    });
    let is_reversed = || {
        by.parts()
            .zip(texts.iter().rev().copied())
            .all(|pair| part(pair).is_ok())
    };
    match in_order {
        Err(_) if wanted > 1 && is_reversed() => Err(KeyError::Order(by)),
        told => told.map(Option::unwrap_or_default),
    }
}

fn part_of(by: KeyDimension, text: &str, keys: &SecretKeys, ipv6_prefix: u8) -> Result<String, KeyError> {
    let phone = || PhoneNumber::parse(text, PhoneCheck::E164);
    match by {
        KeyDimension::Ip => ClientNetwork::parse(text, ipv6_prefix)
            .map(|client| client.to_string())
            .ok_or(KeyError::Ip),
        KeyDimension::IpNetwork(bits) => {
            let address = text.split('/').next().unwrap_or(text);
            let client = ClientNetwork::parse(address, ipv6_prefix).ok_or(KeyError::Ip)?;
            Ok(client.widened(bits).to_string())
        }
        KeyDimension::Network if is_name(text) => Ok(text.to_owned()),
        KeyDimension::Network => Err(KeyError::Network),
        KeyDimension::Phone => Ok(PhoneDigest::of(&phone()?, &keys.phone).encode()),
        KeyDimension::Email => {
            let email = EmailAddress::parse(text)?;
            Ok(EmailDigest::of(&email, &keys.email).encode())
        }
        KeyDimension::User => match account(text).ok_or(KeyError::User)? {
            Account::User(id) => Ok(id.to_string()),
            login => login.login(keys).map(key_of_login).ok_or(KeyError::User),
        },
        KeyDimension::Country => Country::parse(text)
            .filter(|country| country.is_known())
            .map(|country| country.to_string())
            .ok_or(KeyError::Country),
        KeyDimension::Prefix(digits) => {
            let plain = text.trim_start_matches('+');
            let sound = plain.bytes().all(|character| character.is_ascii_digit());
            let prefix = plain
                .get(..digits.into())
                .filter(|_| sound)
                .ok_or(KeyError::Prefix(digits))?;
            let mut key = String::new();
            push_prefix(&mut key, prefix, digits, &keys.phone);
            Ok(key)
        }
        KeyDimension::Global if text == "*" => Ok(text.to_owned()),
        KeyDimension::Global => Err(KeyError::Global),
    }
}

/// Whom `--user` means: a user's id, or what somebody signs in with.
#[derive(Debug, Clone)]
pub enum Account {
    User(Uuid),
    Email(EmailAddress),
    Phone(PhoneNumber),
}

impl Account {
    /// What stands for it where logins are counted; none for an id.
    pub fn login(&self, keys: &SecretKeys) -> Option<LoginDigest> {
        match self {
            Self::User(_) => None,
            Self::Email(email) => Some(LoginDigest::of("email", email.key(), &keys.login)),
            Self::Phone(phone) => Some(LoginDigest::of("phone", phone.expose(), &keys.login)),
        }
    }
}

/// Reads a user's id, or what somebody signs in with.
pub fn account(text: &str) -> Option<Account> {
    if let Ok(id) = Uuid::parse_str(text) {
        return Some(Account::User(id));
    }
    let email = || EmailAddress::parse(text).ok().map(Account::Email);
    let phone = || {
        PhoneNumber::parse(text, PhoneCheck::E164)
            .ok()
            .map(Account::Phone)
    };
    email().or_else(phone)
}
