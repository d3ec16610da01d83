//! The contract of the store of administrators. `postgres.rs` and `sqlite.rs` keep it; `tests/accounts/administrators.rs`
//! holds both to it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{accounts::users::User, events::NewEvent, tokens::Role, unavailable::Unavailable};

/// Who may administer. What holds for every store of accounts is said at [`crate::accounts`].
#[async_trait]
pub trait AdministratorStore: Send + Sync {
    /// What a session may administer. It MUST count at once that a role was granted, changed or taken away. `None`: there is
    /// no such session.
    async fn standing(&self, session: Uuid) -> Result<Option<Standing>, Unavailable>;

    /// Gives an account a role, or another one than it has; its sessions of an administrator say the new role from then on.
    /// MUST NOT leave nobody who may do everything and isn't locked, however many are changed at once.
    async fn grant(&self, grant: &Grant) -> Result<Granted, Unavailable>;

    /// Takes an account's role away; its sessions administer nothing from then on, whatever is granted later. Likewise.
    async fn revoke(&self, user: Uuid, event: NewEvent) -> Result<Revoked, Unavailable>;

    /// All administrators, those with the greater role first.
    async fn list(&self) -> Result<Vec<Administrator>, Unavailable>;
}

/// What a session may administer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What its user may do now.
    pub role: Option<Role>,
    /// Whether a second proof was given for it while its user had a role, which was never taken away since.
    pub has_second_proof: bool,
    /// The epoch that it belongs to.
    pub epoch: i64,
    pub expires_at: DateTime<Utc>,
    /// When a code last set its user's password anew.
    pub password_reset_at: Option<DateTime<Utc>>,
    /// When its user last put another phone or e-mail address in the place of the account's.
    pub address_changed_at: Option<DateTime<Utc>>,
}

/// A role that is to be given.
#[derive(Debug, Clone)]
pub struct Grant {
    pub user: Uuid,
    pub role: Role,
    /// None: an operator.
    pub by: Option<Uuid>,
    pub event: NewEvent,
}

/// What became of a [`Grant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    Granted,
    /// The account had this very role.
    Unchanged,
    NoAccount,
    /// The account's e-mail address isn't proven.
    EmailUnproven,
    LastAdministrator,
}

/// What became of a role that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Revoked,
    /// The account had none.
    Unchanged,
    LastAdministrator,
}

/// Who may administer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    pub user: User,
    pub is_locked: bool,
    pub role: Role,
    pub granted_by: Option<Uuid>,
    pub granted_at: DateTime<Utc>,
}
