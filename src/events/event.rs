//! An event that is to be written.

use std::{fmt, sync::LazyLock};

use chrono::{DateTime, Utc};
use metrics::{Counter, counter};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{entropy::Entropy, limits::ClientNetwork, phone::Country};

/// What happened, as noun and past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    AccountRegistered,
    AccountUpdated,
    AccountDeleted,
    AccountLocked,
    AccountUnlocked,
    AccountImported,
    SessionOpened,
    /// One session ended, by its user or an administrator.
    SessionEnded,
    /// All sessions of a user, or all but one.
    SessionsEnded,
    /// A spent refresh token was shown, and its session ended.
    SessionReused,
    PhoneVerified,
    PhoneChanged,
    /// An administrator made sure that the phone is its owner's, so that it opens the account.
    PhoneConfirmed,
    /// An account lost its phone to another that proved it.
    PhoneMoved,
    EmailVerified,
    EmailChanged,
    /// As [`Self::PhoneConfirmed`].
    EmailConfirmed,
    /// An account lost an unproven e-mail address to whoever owns it.
    EmailTaken,
    PasswordChanged,
    PasswordReset,
    /// An account may administer, or may so otherwise than before.
    RoleGranted,
    RoleRevoked,
    /// What an administrator did that changed no account: each call is one event.
    LimitsReleased,
    UsersSearched,
    UserViewed,
    EventsRead,
    VerificationsRead,
    StatsRead,
    LimitsRead,
    /// A country or a prefix gets no codes for a while, or gets them again.
    LimitsPaused,
    LimitsResumed,
    /// An administrator asked for what the role doesn't allow.
    AdministrationRefused,
    /// Refusals: one row for each kind, key and minute.
    LoginFailed,
    CodeRefused,
    RequestRefused,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 35] = [
        Self::AccountRegistered,
        Self::AccountUpdated,
        Self::AccountDeleted,
        Self::AccountLocked,
        Self::AccountUnlocked,
        Self::AccountImported,
        Self::SessionOpened,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::SessionReused,
        Self::PhoneVerified,
        Self::PhoneChanged,
        Self::PhoneConfirmed,
        Self::PhoneMoved,
        Self::EmailVerified,
        Self::EmailChanged,
        Self::EmailConfirmed,
        Self::EmailTaken,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::RoleGranted,
        Self::RoleRevoked,
        Self::LimitsReleased,
        Self::UsersSearched,
        Self::UserViewed,
        Self::EventsRead,
        Self::VerificationsRead,
        Self::StatsRead,
        Self::LimitsRead,
        Self::LimitsPaused,
        Self::LimitsResumed,
        Self::AdministrationRefused,
        Self::LoginFailed,
        Self::CodeRefused,
        Self::RequestRefused,
    ];

    /// Its name in rows, answers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountRegistered => "account.registered",
            Self::AccountUpdated => "account.updated",
            Self::AccountDeleted => "account.deleted",
            Self::AccountLocked => "account.locked",
            Self::AccountUnlocked => "account.unlocked",
            Self::AccountImported => "account.imported",
            Self::SessionOpened => "session.opened",
            Self::SessionEnded => "session.ended",
            Self::SessionsEnded => "sessions.ended",
            Self::SessionReused => "session.reused",
            Self::PhoneVerified => "phone.verified",
            Self::PhoneChanged => "phone.changed",
            Self::PhoneConfirmed => "phone.confirmed",
            Self::PhoneMoved => "phone.moved",
            Self::EmailVerified => "email.verified",
            Self::EmailChanged => "email.changed",
            Self::EmailConfirmed => "email.confirmed",
            Self::EmailTaken => "email.taken",
            Self::PasswordChanged => "password.changed",
            Self::PasswordReset => "password.reset",
            Self::RoleGranted => "role.granted",
            Self::RoleRevoked => "role.revoked",
            Self::LimitsReleased => "limits.released",
            Self::UsersSearched => "users.searched",
            Self::UserViewed => "user.viewed",
            Self::EventsRead => "events.read",
            Self::VerificationsRead => "verifications.read",
            Self::StatsRead => "stats.read",
            Self::LimitsRead => "limits.read",
            Self::LimitsPaused => "limits.paused",
            Self::LimitsResumed => "limits.resumed",
            Self::AdministrationRefused => "administration.refused",
            Self::LoginFailed => "login.failed",
            Self::CodeRefused => "code.refused",
            Self::RequestRefused => "request.refused",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One counter for each kind, in their order.
static COUNTERS: LazyLock<[Counter; EventKind::ALL.len()]> =
    LazyLock::new(|| EventKind::ALL.map(|kind| counter!("ringback_events_total", "kind" => kind.name())));

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Nobody was signed in.
    Anyone,
    /// Whoever is signed in to an account, or just proved to be its user.
    User(Uuid),
    /// The same where it is the user whom the event is about, and the store alone knows who that is.
    Owner,
    Administrator(Uuid),
    /// Whoever runs the service, on the command line.
    Operator,
    /// The service itself.
    System,
}

impl Actor {
    /// Its name in a row.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::User(_) | Self::Owner => "user",
            Self::Administrator(_) => "administrator",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// Its account, where it has one and that is known.
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::User(id) | Self::Administrator(id) => Some(id),
            Self::Anyone | Self::Owner | Self::Operator | Self::System => None,
        }
    }
}

/// Who does something, from where, and why.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    pub actor: Actor,
    /// The client; no more of it is written than [`ClientNetwork::coarse`].
    pub network: Option<ClientNetwork>,
    /// What an administrator gives as the reason.
    pub reason: Option<String>,
}

impl Source {
    /// A client that is not signed in.
    pub fn anyone(client: ClientNetwork) -> Self {
        Self::by(Actor::Anyone, Some(client))
    }

    /// A client that is signed in, or just proved to be the user.
    pub fn user(user: Uuid, client: ClientNetwork) -> Self {
        Self::by(Actor::User(user), Some(client))
    }

    /// A client that proves to be the user whom the event is about, whoever that is.
    pub fn owner(client: ClientNetwork) -> Self {
        Self::by(Actor::Owner, Some(client))
    }

    /// A user's client, or anyone's.
    pub fn of(user: Option<Uuid>, client: ClientNetwork) -> Self {
        Self::by(user.map_or(Actor::Anyone, Actor::User), Some(client))
    }

    /// An administrator, who gives a reason where something is changed.
    pub fn administrator(user: Uuid, client: ClientNetwork, reason: Option<String>) -> Self {
        Self {
            reason,
            ..Self::by(Actor::Administrator(user), Some(client))
        }
    }

    /// Whoever runs the service, on the command line.
    pub fn operator(reason: Option<String>) -> Self {
        Self {
            reason,
            ..Self::by(Actor::Operator, None)
        }
    }

    /// The service itself.
    pub fn system() -> Self {
        Self::by(Actor::System, None)
    }

    fn by(actor: Actor, network: Option<ClientNetwork>) -> Self {
        Self {
            actor,
            network,
            reason: None,
        }
    }
}

/// A reason may name somebody.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?})", self.actor)
    }
}

/// What may stand in an event's details: no text that somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Id(Uuid),
    Name(&'static str),
    Number(u64),
    Flag(bool),
    Country(Country),
}

impl From<Uuid> for Detail {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl From<&'static str> for Detail {
    fn from(name: &'static str) -> Self {
        Self::Name(name)
    }
}

impl From<u64> for Detail {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Country> for Detail {
    fn from(country: Country) -> Self {
        Self::Country(country)
    }
}

impl From<bool> for Detail {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// An event that is to be written. Whose account it is about is filled in by the store that makes the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub kind: EventKind,
    pub source: Source,
    details: Vec<(&'static str, Detail)>,
}

impl NewEvent {
    /// An event of now.
    pub fn new(kind: EventKind, source: Source, now: DateTime<Utc>, entropy: &dyn Entropy) -> Self {
        Self {
            id: entropy.row_id(now),
            at: now,
            kind,
            source,
            details: Vec::new(),
        }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: impl Into<Detail>) -> Self {
        self.details.push((name, detail.into()));
        self
    }

    /// The details as they are kept: a JSON object.
    pub(crate) fn details(&self) -> String {
        if self.details.is_empty() {
            return "{}".to_owned();
        }
        let value = |detail: &Detail| match *detail {
            Detail::Id(id) => Value::from(id.to_string()),
            Detail::Name(name) => Value::from(name),
            Detail::Number(number) => Value::from(number),
            Detail::Flag(flag) => Value::from(flag),
            Detail::Country(country) => Value::from(country.as_str()),
        };
        let details = self.details.iter();
        let object: Map<_, _> = details
            .map(|(name, detail)| ((*name).to_owned(), value(detail)))
            .collect();
        Value::Object(object).to_string()
    }

    /// Counts it, once it was written: by the store, after its commit.
    pub fn count(&self) {
        if let Some(counter) = COUNTERS.get(self.kind as usize) {
            counter.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
        assert!(names.iter().all(|name| name.split('.').count() == 2));
        // Each finds its counter by its place.
        for (at, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }

    #[test]
    fn details_are_one_object() {
        let source = Source::system();
        let event = NewEvent::new(
            EventKind::SessionEnded,
            source,
            DateTime::UNIX_EPOCH,
            &SystemEntropy,
        );
        assert_eq!(event.details(), "{}");
        let event = event.with("session", Uuid::nil()).with("amr", "pwd").with("n", 3);
        assert_eq!(
            event.details(),
            r#"{"amr":"pwd","n":3,"session":"00000000-0000-0000-0000-000000000000"}"#
        );
    }
}
