//! What users do with their own sessions: see them, and end them.

use uuid::Uuid;

use super::{OpenSession, Sessions, SignedIn};
use crate::{
    accounts::AccountError,
    events::{EventKind, Source},
    limits::ClientNetwork,
};

impl Sessions {
    /// The live sessions of whoever is signed in, those that were used last first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list(&self, of: &SignedIn) -> Result<Vec<OpenSession>, AccountError> {
        Ok(self.store.list(of.user.id, self.liveness()).await?)
    }

    /// Ends one of them; the caller's own too.
    ///
    /// # Errors
    /// `NotFound` alike for one that is over, another's, and none; `Unavailable`.
    pub async fn end(&self, of: &SignedIn, session: Uuid, client: ClientNetwork) -> Result<(), AccountError> {
        let (user, live) = (of.user.id, self.liveness());
        let event = self.event(EventKind::SessionEnded, Source::user(user, client), session);
        let has_ended = self.store.end(user, session, live, event).await?;
        has_ended.then_some(()).ok_or(AccountError::NotFound)
    }

    /// Ends all but the caller's.
    ///
    /// # Errors
    /// `TokenRevoked` where the caller's has ended meanwhile, and then no other ends; `Unavailable`.
    pub async fn end_others(&self, of: &SignedIn, client: ClientNetwork) -> Result<(), AccountError> {
        let (user, live) = (of.user.id, self.liveness());
        let event = self.event(EventKind::SessionsEnded, Source::user(user, client), of.session);
        let have_ended = self.store.end_others(user, of.session, live, event).await?;
        have_ended.then_some(()).ok_or(AccountError::TokenRevoked)
    }
}
