//! What users change of their account by themselves, without a proof.

use std::sync::Arc;

use super::{
    AccountError,
    users::{ProfileChange, User, UserStore},
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    events::{EventKind, NewEvent, Source},
    limits::ClientNetwork,
};

/// What users change of their account by themselves.
#[derive(Clone)]
pub struct Profiles {
    pub users: Arc<dyn UserStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Profiles {
    /// Changes what `change` names. Returns the account as it is then. Where all is as it was, nothing is written.
    ///
    /// # Errors
    /// `TokenRevoked` where the account was deleted meanwhile; `Unavailable`.
    pub async fn change(
        &self,
        user: User,
        change: ProfileChange,
        client: ClientNetwork,
    ) -> Result<User, AccountError> {
        if !change.changes(&user) {
            return Ok(user);
        }
        let (now, source) = (self.clock.now(), Source::user(user.id, client));
        let event = NewEvent::new(EventKind::AccountUpdated, source, now, self.entropy.as_ref());
        let changed = self.users.change_profile(user.id, change, event).await?;
        changed.ok_or(AccountError::TokenRevoked)
    }
}
