//! The contract of the account store. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/` holds them to it.

use std::num::NonZero;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

use super::{NewSession, NewUser, PasswordHash, Rotated, Rotation, SessionView, User};
use crate::{
    database::{Bounds, MigrateError, PoolStatus},
    email::EmailAddress,
    limits::LoginDigest,
    phone::PhoneNumber,
    secrets::MacKey,
    unavailable::Unavailable,
};

/// Where accounts and sessions are kept.
///
/// For all methods: each is done within the store's time-out or answers [`Unavailable`], and then it isn't known
/// whether a change was made, except that each change is made whole or not at all. The time is the caller's `now`,
/// kept to the microsecond. Once a change was answered, every later call sees it, on any instance.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account and opens its first session, both or neither.
    ///
    /// # Errors
    /// MUST answer [`RegisterError::EmailTaken`] if an account has this [`EmailAddress::key`], also when both come at
    /// the same time.
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError>;

    /// What a login is compared with. Costs the same whether or not there is such an account.
    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, Unavailable>;

    /// Who claims a phone. Coalesced: lookups that arrive together are one query.
    async fn claims(&self, phone: &PhoneNumber) -> Result<Claims, Unavailable>;

    /// Marks a phone as verified: the code was right.
    ///
    /// MUST be one atomic change. For [`Claimant::User`]: on that account, if it claims the phone. For
    /// [`Claimant::Anyone`]: if exactly one unverified account claims it and none has it verified. However many
    /// callers race, at most one account has a phone verified, ever.
    async fn verify_phone(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        now: DateTime<Utc>,
    ) -> Result<Verification, Unavailable>;

    /// The phone that an account claims or has.
    async fn phone_of(&self, user: Uuid) -> Result<Option<PhoneNumber>, Unavailable>;

    /// A session with its user. Coalesced, and never from a cache: a revocation counts at once.
    async fn session(&self, session_id: Uuid) -> Result<Option<SessionView>, Unavailable>;

    /// Opens a further session of an account that exists.
    async fn open_session(&self, session: NewSession) -> Result<(), Unavailable>;

    /// Replaces a session's refresh token. Of any number of callers with one token, one MUST get
    /// [`Rotated::Rotated`]. [`Rotated::Reused`] MUST have revoked the session.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Unavailable>;

    /// Ends a session. One that has ended already, or never was, is no error.
    async fn revoke(&self, session_id: Uuid, now: DateTime<Utc>) -> Result<(), Unavailable>;

    /// Deletes sessions that ended before `before`, `limit` of them at most; answers how many.
    async fn purge_sessions(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable>;

    /// Replaces a password's hash by one of today's cost; does nothing if it is no longer `old`, since the password was
    /// changed meanwhile then.
    async fn set_password_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), Unavailable>;

    /// Brings the tables to this version's form. Any number of instances may call it at once.
    async fn migrate(&self) -> Result<(), MigrateError>;

    /// How many connections there are: for `/metrics`.
    fn pool_status(&self) -> PoolStatus;

    /// Gives all connections back; every later call answers [`Unavailable`].
    async fn close(&self);
}

/// Why an account wasn't made.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("the e-mail address has an account")]
    EmailTaken,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Whom somebody says they are when they log in.
#[derive(Debug, Clone)]
pub enum Login {
    Email(EmailAddress),
    /// Finds only the account that has this phone verified: claims are no identity.
    Phone(PhoneNumber),
}

impl Login {
    /// What stands for it where logins are counted. An address and a phone of one account count apart: together they
    /// would tell that they belong to one.
    pub fn digest(&self, key: &MacKey) -> LoginDigest {
        match self {
            Self::Email(email) => LoginDigest::of("email", email.key(), key),
            Self::Phone(phone) => LoginDigest::of("phone", phone.expose(), key),
        }
    }
}

/// What a login is compared with.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: User,
    pub password: PasswordHash,
    /// An operator has locked the account.
    pub locked: bool,
}

/// Who claims a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claims {
    /// The account that has it verified.
    pub verified_by: Option<Uuid>,
    /// How many accounts claim it unverified: 0, 1, or 2 for two and more. Not counted further, since anybody may add
    /// to them.
    pub unverified: u32,
    /// The one that claims it unverified, if exactly one does.
    pub sole_claimant: Option<Uuid>,
    /// The first of those that claim it unverified, if any does.
    pub any_claimant: Option<Uuid>,
}

impl Claims {
    /// Adds an account that claims it.
    pub(super) fn add(&mut self, user: Uuid, is_verified: bool) {
        if is_verified {
            self.verified_by = Some(user);
            return;
        }
        self.sole_claimant = (self.unverified == 0).then_some(user);
        self.unverified = (self.unverified + 1).min(2);
        self.any_claimant = Some(self.any_claimant.map_or(user, |first| first.min(user)));
    }

    /// From one statement about all who claim it.
    pub(super) fn of(verified_by: Option<Uuid>, unverified: i64, first: Option<Uuid>) -> Self {
        Self {
            verified_by,
            unverified: u32::try_from(unverified).unwrap_or_default(),
            sole_claimant: first.filter(|_| unverified == 1),
            any_claimant: first,
        }
    }
}

/// On whose behalf a phone is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claimant {
    /// Nobody was signed in.
    Anyone,
    /// The user of a bearer token.
    User(Uuid),
}

/// What became of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// This account has the phone verified from now on.
    Verified(Uuid),
    /// This account had it verified before: the claimant's own, or for [`Claimant::Anyone`] whosever it is.
    AlreadyVerified(Uuid),
    /// Another account than the claimant's has it verified.
    Taken,
    /// Several unverified accounts claim it and nobody was signed in.
    Ambiguous,
    /// No account claims it, or not the claimant's.
    NoClaim,
}

/// How often a verification is tried whose miss nothing explains: what stood in its way went meanwhile.
pub(super) const VERIFY_ATTEMPTS: usize = 3;

/// The bounds of coalesced lookups: a quarter of the connections at most for each kind, so that reads leave some for
/// the writes, and no more lanes than there are threads to ask.
pub(super) fn lookup_bounds(max_connections: u32) -> Bounds {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    Bounds {
        lanes: threads.min(max_connections as usize / 4).max(1),
        batch: 512,
        queue: 4_096,
    }
}

/// The time as both databases keep it.
pub(crate) fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

/// What a read after a missed UPDATE shows.
pub(super) struct Miss {
    pub verified_by: Option<Uuid>,
    pub unverified: i64,
    /// Whether the claimant's own account claims the phone.
    pub mine: bool,
}

impl Miss {
    /// Explains a missed UPDATE. `None` if nothing does: what stood in its way is gone meanwhile.
    pub(super) fn explain(&self, claimant: &Claimant) -> Option<Verification> {
        match (claimant, self.verified_by) {
            (Claimant::User(me), Some(owner)) if owner == *me => Some(Verification::AlreadyVerified(owner)),
            (Claimant::User(_), _) if !self.mine => Some(Verification::NoClaim),
            (Claimant::User(_), Some(_)) => Some(Verification::Taken),
            (Claimant::User(_), None) => None,
            (Claimant::Anyone, Some(owner)) => Some(Verification::AlreadyVerified(owner)),
            (Claimant::Anyone, None) => match self.unverified {
                0 => Some(Verification::NoClaim),
                1 => None,
                _ => Some(Verification::Ambiguous),
            },
        }
    }
}
