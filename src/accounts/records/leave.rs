//! What a signed-in user asks for of all that is kept about them: to have it, and to have it erased.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Erased, ErasedBy, Erasure, RecordStore};
use crate::{
    accounts::{
        AccountError,
        own_password::{OwnPassword, OwnTurn},
        passwords::Password,
        sessions::SignedIn,
    },
    clock::Clock,
    entropy::Entropy,
    events::{Actor, EventKind, NewEvent, Source},
    limits::ClientNetwork,
};

/// All that is kept about a user, for that user.
#[derive(Clone)]
pub struct Leave {
    pub store: Arc<dyn RecordStore>,
    pub own_password: OwnPassword,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Leave {
    /// Erases the account of whoever knows its password, or just signed in by a code where it has none.
    ///
    /// # Errors
    /// `PasswordIncorrect`; `PasswordMissing`; `SignInAnew` where the account has none; `TokenRevoked` where the session ended or the account was erased meanwhile; `LastAdministrator`;
    /// `Limited`; `Unavailable`.
    pub async fn leave(
        &self,
        turn: OwnTurn,
        of: &SignedIn,
        client: ClientNetwork,
        password: Option<Password>,
    ) -> Result<(), AccountError> {
        let epoch = match password {
            Some(password) => self.own_password.confirm(turn, of, client, password).await?,
            None => self.own_password.epoch_without(of).await?,
        };
        // It says what happened, and of whom it says nothing.
        let source = Source {
            actor: Actor::Owner,
            network: None,
            reason: None,
        };
        let now = self.clock.now();
        let erasure = Erasure {
            user: of.user.id,
            by: ErasedBy::Owner {
                epoch,
                session: of.session,
            },
            event: NewEvent::new(EventKind::AccountDeleted, source, now, self.entropy.as_ref()),
        };
        match self.store.erase(erasure).await? {
            Erased::Erased => Ok(()),
            Erased::Void => Err(AccountError::TokenRevoked),
            Erased::LastAdministrator => Err(AccountError::LastAdministrator),
        }
    }

    /// Everything that is kept about the user, but for what proves who they are.
    ///
    /// # Errors
    /// `TokenRevoked` where the account was erased meanwhile; `Unavailable`.
    pub async fn export(&self, of: &SignedIn) -> Result<Value, AccountError> {
        let export = self.store.export(of.user.id).await?;
        let mut export = export.ok_or(AccountError::TokenRevoked)?;
        // The user is one.
        let user = export["users"][0].take();
        if let Some(tables) = export.as_object_mut() {
            tables.remove("users");
        }
        let mut given = json!({ "exported_at": self.clock.now(), "user": user });
        if let (Some(given), Value::Object(tables)) = (given.as_object_mut(), export) {
            given.extend(tables);
        }
        Ok(given)
    }
}
