//! A notice: a message without a code, which tells whoever owns an account's address of a change.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use uuid::Uuid;

use crate::{
    channel::Channel, email::EmailAddress, entropy::Entropy, language::Language, phone::PhoneNumber,
};

/// For how long a notice is tried.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// What it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeKind {
    PasswordChanged,
    PasswordReset,
    /// Goes to the old address.
    EmailChanged,
    PhoneChanged,
    /// Goes to the e-mail of the account that lost its phone to another.
    PhoneMoved,
    /// Goes to the phone of the account that lost an unproven e-mail address to whoever owns it.
    EmailTaken,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::EmailChanged,
        Self::PhoneChanged,
        Self::PhoneMoved,
        Self::EmailTaken,
    ];

    /// Its name in a row.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::EmailChanged => "email_changed",
            Self::PhoneChanged => "phone_changed",
            Self::PhoneMoved => "phone_moved",
            Self::EmailTaken => "email_taken",
        }
    }

    /// Its text for a channel.
    pub const fn text(self, channel: Channel) -> &'static str {
        match (self, channel) {
            (Self::PasswordChanged, Channel::Email) => "notice_password_changed",
            (Self::PasswordChanged, Channel::Sms) => "notice_password_changed_sms",
            (Self::PasswordReset, Channel::Email) => "notice_password_reset",
            (Self::PasswordReset, Channel::Sms) => "notice_password_reset_sms",
            (Self::EmailChanged, Channel::Email) => "notice_email_changed",
            (Self::EmailChanged, Channel::Sms) => "notice_email_changed_sms",
            (Self::PhoneChanged, Channel::Email) => "notice_phone_changed",
            (Self::PhoneChanged, Channel::Sms) => "notice_phone_changed_sms",
            // Its phone is what the account lost: there is none to write to.
            (Self::PhoneMoved, _) => "notice_phone_moved",
            (Self::EmailTaken, Channel::Email) => "notice_email_taken",
            (Self::EmailTaken, Channel::Sms) => "notice_email_taken_sms",
        }
    }

    /// The kind of a row.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a notice goes. `Debug` shows the channel alone.
#[derive(Clone, PartialEq, Eq)]
pub enum NoticeAddress {
    Email(EmailAddress),
    Phone(PhoneNumber),
}

impl NoticeAddress {
    /// From a row. `None` for a channel that this version doesn't know.
    pub(super) fn from_stored(channel: &str, address: String, key: Option<String>) -> Option<Self> {
        match channel {
            "email" => Some(Self::Email(EmailAddress::from_stored(address, key?))),
            "sms" => Some(Self::Phone(PhoneNumber::from_stored(address))),
            _ => None,
        }
    }

    /// How it travels.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Phone(_) => Channel::Sms,
        }
    }

    /// In clear, for the row.
    pub(in crate::events) fn expose(&self) -> &str {
        match self {
            Self::Email(email) => email.expose(),
            Self::Phone(phone) => phone.expose(),
        }
    }

    /// The key of an e-mail address.
    pub(in crate::events) fn key(&self) -> Option<&str> {
        match self {
            Self::Email(email) => Some(email.key()),
            Self::Phone(_) => None,
        }
    }
}

impl fmt::Debug for NoticeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoticeAddress({})", self.channel().name())
    }
}

/// A notice that is to be sent: written in the transaction of the change it tells about. Whom it is about and where it
/// goes is said beside it, or comes from the row that the change found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    pub id: Uuid,
    pub kind: NoticeKind,
    /// What it is written in; `None` for the default.
    pub language: Option<Language>,
    pub created_at: DateTime<Utc>,
    /// When it is given up.
    pub expires_at: DateTime<Utc>,
}

impl NewNotice {
    /// A notice of now, which is tried for a day.
    pub fn new(
        kind: NoticeKind,
        language: Option<Language>,
        now: DateTime<Utc>,
        entropy: &dyn Entropy,
    ) -> Self {
        Self {
            id: entropy.row_id(now),
            kind,
            language,
            created_at: now,
            expires_at: now + LIFETIME,
        }
    }

    /// Counts it, once it was written: by the store, after its commit.
    pub fn count(&self) {
        counter!("ringback_notices_total", "kind" => self.kind.name(), "outcome" => "queued").increment(1);
    }
}
