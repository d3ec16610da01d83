//! Whom a request is counted against, and the texts that counters are named by.

use std::{
    fmt::{self, Write},
    sync::{Arc, OnceLock},
};

use uuid::Uuid;

use super::{
    asker::{Asker, Claimants},
    client::ClientNetwork,
    key::{KeyDimension, RuleKey},
    names::{LoginDigest, key_of_login, push_prefix},
    networks::Networks,
};
use crate::{
    channel::Channel,
    email::EmailDigest,
    partition::PARTITIONS,
    phone::{Country, PhoneDigest, PhoneNumber},
    secrets::MacKey,
};

/// Room for the names of most counters.
const ROOM_FOR_KEY: usize = 48;

/// Whom a request is counted against. `Debug` shows no digit of a phone number.
#[derive(Clone)]
pub struct Subject {
    client: ClientNetwork,
    /// The client as counters name it; most requests meet several rules by address.
    client_text: OnceLock<String>,
    /// The list of networks that the client is in, once that was looked for.
    network: OnceLock<Option<Arc<str>>>,
    phone: Option<Phone>,
    email: Option<EmailDigest>,
    /// By which a code goes.
    channel: Option<Channel>,
    account: Option<Account>,
    /// About the address that it names.
    asker: Asker,
    has_worked: bool,
    is_administrators: bool,
}

#[derive(Clone)]
struct Phone {
    number: PhoneNumber,
    digest: PhoneDigest,
    /// The digest as counters are named by it.
    text: OnceLock<String>,
    key: MacKey,
    country: OnceLock<Country>,
}

#[derive(Debug, Clone, Copy)]
enum Account {
    User(Uuid),
    Login(LoginDigest),
}

impl Subject {
    /// A client by its address.
    pub fn new(client: impl Into<ClientNetwork>) -> Self {
        Self {
            client: client.into(),
            client_text: OnceLock::new(),
            network: OnceLock::new(),
            phone: None,
            email: None,
            channel: None,
            account: None,
            asker: Asker::Stranger,
            has_worked: false,
            is_administrators: false,
        }
    }

    /// The same client, asking about a number; `key` is the one that phones are digested with.
    #[must_use]
    pub fn with_phone(self, number: PhoneNumber, key: &MacKey) -> Self {
        let digest = PhoneDigest::of(&number, key);
        self.with_digested(number, digest, key)
    }

    /// The same where the digest is at hand.
    #[must_use]
    pub fn with_digested(self, number: PhoneNumber, digest: PhoneDigest, key: &MacKey) -> Self {
        let phone = Phone {
            digest,
            text: OnceLock::new(),
            number,
            key: key.clone(),
            country: OnceLock::new(),
        };
        Self {
            phone: Some(phone),
            ..self
        }
    }

    /// The same client, asking about an e-mail address.
    #[must_use]
    pub fn with_email(self, digest: EmailDigest) -> Self {
        Self {
            email: Some(digest),
            ..self
        }
    }

    /// The same where it is about a code that goes by `channel`.
    #[must_use]
    pub fn with_channel(self, channel: Channel) -> Self {
        Self {
            channel: Some(channel),
            ..self
        }
    }

    /// The same client, signed in.
    #[must_use]
    pub fn with_user(self, user: Option<Uuid>) -> Self {
        Self {
            account: user.map(Account::User),
            ..self
        }
    }

    /// The same client, about to sign in to whatever account `login` names.
    #[must_use]
    pub fn with_login(self, login: LoginDigest) -> Self {
        Self {
            account: Some(Account::Login(login)),
            ..self
        }
    }

    /// The same client, with what is known of whether the address that it names is theirs.
    #[must_use]
    pub fn with_asker(self, asker: Asker) -> Self {
        Self { asker, ..self }
    }

    /// Whether the account was signed in to from there lately.
    pub fn is_from_known_network(&self) -> bool {
        self.asker == Asker::KnownNetwork
    }

    /// The same where the request brought a proof of work.
    #[must_use]
    pub fn after_work(self) -> Self {
        Self {
            has_worked: true,
            ..self
        }
    }

    /// Whether the request brought a proof of work.
    pub fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// The same where an administrator, by password, asks for the second proof. What strangers spend holds nobody up who has to
    /// stop them: it is counted by the client and the account alone, as one that brought a proof of work.
    #[must_use]
    pub fn of_administrator(self) -> Self {
        Self {
            has_worked: true,
            is_administrators: true,
            ..self
        }
    }

    /// Whether no pause holds it up.
    pub(super) fn passes_pauses(&self) -> bool {
        self.is_administrators
    }

    /// Whether it is of a user who has not proven the address that it names.
    pub fn is_claimants(&self) -> bool {
        matches!(self.asker, Asker::Claimant(_))
    }

    /// Looks for the list of networks that the client is in.
    pub(super) fn note_network(&self, networks: &Networks) {
        self.network.get_or_init(|| networks.name_of(self.client));
    }

    /// The list of networks that the client is in, if it is known.
    pub(super) fn network(&self) -> Option<&str> {
        self.network.get()?.as_deref()
    }

    /// The digest of the number, if the request is about one.
    pub fn phone_digest(&self) -> Option<PhoneDigest> {
        self.phone.as_ref().map(|phone| phone.digest)
    }

    /// The digest of the e-mail address, if the request is about one.
    pub fn email_digest(&self) -> Option<EmailDigest> {
        self.email
    }

    /// The channel of the code, if the request is about one.
    pub fn channel(&self) -> Option<Channel> {
        self.channel
    }

    /// The digest of the address that a code goes to, by which counters are named, and the share of the keys that it belongs to.
    pub(super) fn address(&self) -> Option<([u8; 16], u8)> {
        match self.channel? {
            Channel::Sms => {
                let digest = self.phone_digest()?;
                Some((*digest.as_bytes(), digest.partition(PARTITIONS)))
            }
            Channel::Email => Some((*self.email?.as_bytes(), self.email?.partition(PARTITIONS))),
        }
    }

    /// The share of the keys that an address's counters belong to, together with its challenges: known for rules that
    /// count by the phone alone, or by the e-mail address alone.
    pub(super) fn partition(&self, by: RuleKey) -> Option<u8> {
        if by == KeyDimension::Phone.into() {
            return Some(self.phone_digest()?.partition(PARTITIONS));
        }
        let is_email = by == KeyDimension::Email.into();
        self.email
            .filter(|_| is_email)
            .map(|email| email.partition(PARTITIONS))
    }

    /// The country of the number.
    pub fn country(&self) -> Option<Country> {
        let phone = self.phone.as_ref()?;
        Some(*phone.country.get_or_init(|| phone.number.country()))
    }

    /// Whether it is about a phone whose number begins so.
    pub(super) fn phone_begins_with(&self, digits: &str) -> bool {
        let phone = self.phone.as_ref();
        phone.is_some_and(|phone| phone.number.prefix(digits.len()) == digits)
    }

    /// The phone that it is about, if a code goes there by SMS.
    pub(super) fn sms_to(&self) -> Option<&PhoneNumber> {
        let phone = self
            .phone
            .as_ref()
            .filter(|_| self.channel == Some(Channel::Sms))?;
        Some(&phone.number)
    }

    /// The text that names a rule's counter; `None` where the rule doesn't apply.
    pub(super) fn key(&self, by: RuleKey, claimants: Claimants) -> Option<String> {
        if !self.has(by) {
            return None;
        }
        let mut key = String::with_capacity(ROOM_FOR_KEY);
        self.write_key(by, claimants, &mut key).then_some(key)
    }

    /// Whether it has all that `by` names: no text is made for a rule that doesn't apply.
    pub(super) fn has(&self, by: RuleKey) -> bool {
        by.parts().all(|part| match part {
            KeyDimension::Ip | KeyDimension::IpNetwork(_) => true,
            KeyDimension::User => self.account.is_some(),
            _ if self.is_administrators => false,
            KeyDimension::Global => true,
            KeyDimension::Network => self.network().is_some(),
            KeyDimension::Phone | KeyDimension::Country | KeyDimension::Prefix(_) => self.phone.is_some(),
            KeyDimension::Email => self.email.is_some(),
        })
    }

    /// Adds the text that names a rule's counter; tells whether the rule applies.
    ///
    /// The texts of different kinds never meet, so a rule whose `by` is changed starts with fresh counters.
    pub(super) fn write_key(&self, by: RuleKey, claimants: Claimants, key: &mut String) -> bool {
        by.parts().enumerate().all(|(at, part)| {
            if at > 0 {
                key.push(',');
            }
            self.write_part(part, claimants, key).is_some()
        })
    }

    fn write_part(&self, by: KeyDimension, claimants: Claimants, key: &mut String) -> Option<()> {
        match by {
            KeyDimension::Ip => key.push_str(self.client_text.get_or_init(|| self.client.text())),
            KeyDimension::IpNetwork(bits) => key.push_str(&self.client.widened(bits).text()),
            KeyDimension::Network => key.push_str(self.network()?),
            KeyDimension::Phone => {
                let phone = self.phone.as_ref()?;
                key.push_str(phone.text.get_or_init(|| phone.digest.encode()));
                self.asker.write_to(claimants, self.client, key);
            }
            KeyDimension::Email => {
                key.push_str(&self.email?.encode());
                self.asker.write_to(claimants, self.client, key);
            }
            KeyDimension::User => match self.account? {
                Account::User(id) => write!(key, "{id}").ok()?,
                Account::Login(login) => {
                    key.push_str(&key_of_login(login));
                    self.asker.write_to(claimants, self.client, key);
                }
            },
            KeyDimension::Country => key.push_str(self.country()?.as_str()),
            KeyDimension::Prefix(digits) => {
                let phone = self.phone.as_ref()?;
                push_prefix(key, phone.number.prefix(digits.into()), digits, &phone.key);
            }
            KeyDimension::Global => key.push('*'),
        }
        Some(())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("client", &self.client)
            .field("phone", &self.phone_digest())
            .field("email", &self.email)
            .field("channel", &self.channel)
            .field("account", &self.account)
            .field("asker", &self.asker)
            .finish()
    }
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
