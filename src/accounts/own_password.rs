//! What a signed-in user needs the password for: to set another, and to prove who they are before a change.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{
    AccountError,
    passwords::{Password, PasswordChange, PasswordHasher, PasswordStore, Turn},
    sessions::SignedIn,
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    events::{EventKind, NewEvent, NewNotice, NoticeKind, Source},
    language::Language,
    limits::{Admission, ClientNetwork, KeyDimension, Limiter, Operation, Subject},
    security,
    tokens::Amr,
};

/// For how long a sign-in by code stands in for the password of an account that has none.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// What a signed-in user needs the password for.
#[derive(Clone)]
pub struct OwnPassword {
    pub store: Arc<dyn PasswordStore>,
    pub hasher: PasswordHasher,
    pub limiter: Limiter,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What whoever types their own password holds before anything else is asked: a place of the hasher, and what this process's
/// limits let in.
pub struct OwnTurn {
    turn: Turn,
    shed: Admission,
}

/// The same for a change of password: one place to compare the old, one to hash the new.
pub struct Turns(OwnTurn, Turn);

impl OwnPassword {
    /// Asks this process's limits, and takes a place of the hasher. Whoever asks for the password does it before anything else:
    /// a flood from one network must not fill the queue for the hashing threads.
    ///
    /// # Errors
    /// `Limited`; `Unavailable` at once when too many passwords wait to be hashed.
    pub async fn reserve(&self, of: &SignedIn, client: ClientNetwork) -> Result<OwnTurn, AccountError> {
        let subject = Subject::new(client).with_user(Some(of.user.id));
        let shed = self.limiter.shed(Operation::PasswordChange, &subject).await?;
        let turn = self.hasher.reserve(client)?;
        Ok(OwnTurn { turn, shed })
    }

    /// The same for a change of password.
    ///
    /// # Errors
    /// As for [`OwnPassword::reserve`].
    pub async fn reserve_change(&self, of: &SignedIn, client: ClientNetwork) -> Result<Turns, AccountError> {
        let own = self.reserve(of, client).await?;
        Ok(Turns(own, self.hasher.reserve_hash(client)?))
    }

    /// Asks whether this is the account's password. Wrong ones are counted as those of logins are; a right one is given
    /// back. Where the account has none, a sign-in by code stands in for it that is not older than ten minutes. Returns the account's `session_epoch` as it was then: a change that rests on this is made for it alone.
    ///
    /// # Errors
    /// `PasswordIncorrect`; `SignInAnew` where the account has none; `TokenRevoked` where it was locked meanwhile; `Limited`;
    /// `Unavailable`.
    pub async fn confirm(
        &self,
        OwnTurn { turn, shed }: OwnTurn,
        of: &SignedIn,
        client: ClientNetwork,
        password: Password,
    ) -> Result<i64, AccountError> {
        let subject = Subject::new(client).with_user(Some(of.user.id));
        let spent = self.limiter.admit_further(shed, &subject).await?;
        let credentials = self.store.credentials_of(of.user.id).await?;
        let credentials = credentials.ok_or(AccountError::TokenRevoked)?;
        let has_password = credentials.password.is_some();
        let passes = match has_password {
            true => turn.verify(password, credentials.password).await?.matches,
            false => self.is_fresh(of),
        };
        if !passes {
            tracing::info!(
                target: security::TARGET,
                { client.network = %client, user.id = %of.user.id },
                "auth.password.refused"
            );
            return Err(match has_password {
                true => AccountError::PasswordIncorrect,
                false => AccountError::SignInAnew,
            });
        }
        if credentials.locked {
            return Err(AccountError::TokenRevoked);
        }
        self.limiter.give_back(spent.only(KeyDimension::User)).await;
        Ok(credentials.session_epoch)
    }

    /// The account's `session_epoch`, as above, where it has no password to be asked for.
    ///
    /// # Errors
    /// `PasswordMissing` where it has one; `SignInAnew`; `TokenRevoked`; `Unavailable`.
    pub async fn epoch_without(&self, of: &SignedIn) -> Result<i64, AccountError> {
        let credentials = self.store.credentials_of(of.user.id).await?;
        let credentials = credentials.ok_or(AccountError::TokenRevoked)?;
        match credentials.password {
            Some(_) => Err(AccountError::PasswordMissing),
            None if self.is_fresh(of) => Ok(credentials.session_epoch),
            None => Err(AccountError::SignInAnew),
        }
    }

    /// Whether the session was opened by a code a moment ago.
    fn is_fresh(&self, of: &SignedIn) -> bool {
        let age = self.clock.now() - of.authenticated_at;
        matches!(of.amr, Amr::SmsCode | Amr::EmailCode) && age <= FRESH
    }

    /// Sets another password: all other sessions end, and whoever owns a proven address is told, in `language`.
    ///
    /// # Errors
    /// As for [`OwnPassword::confirm`]; `PasswordIncorrect` also where the password was changed meanwhile.
    pub async fn change(
        &self,
        turns: Turns,
        of: &SignedIn,
        client: ClientNetwork,
        (current, new): (Password, Password),
        language: Option<Language>,
    ) -> Result<(), AccountError> {
        let epoch = self.confirm(turns.0, of, client, current).await?;
        let password = turns.1.hash(new).await?;
        let (now, entropy) = (self.clock.now(), self.entropy.as_ref());
        let source = Source::user(of.user.id, client);
        let change = PasswordChange {
            user: of.user.id,
            epoch,
            password,
            keep: of.session,
            event: NewEvent::new(EventKind::PasswordChanged, source, now, entropy),
            notice: NewNotice::new(NoticeKind::PasswordChanged, language, now, entropy),
        };
        let changed = self.store.change(change).await?;
        changed.then_some(()).ok_or(AccountError::PasswordIncorrect)
    }
}
