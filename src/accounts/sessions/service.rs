//! What a signed-in client does: renew its tokens, show one, sign out.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use uuid::Uuid;

use super::{NewSession, Rotated, Rotation, SessionStore};
use crate::{
    accounts::{AccountError, users::User},
    clock::Clock,
    entropy::Entropy,
    limits::{ClientNetwork, Limiter, Operation, Subject},
    tokens::{AccessTokens, RefreshTokens},
};

/// A session's pair of tokens.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    /// How long the access token is good.
    pub expires_in: Duration,
}

/// Who showed a good access token.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub user: User,
    pub session: Uuid,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// How long a session lives, however often it is refreshed.
    pub ttl: Duration,
    /// How long after a rotation the old token is still answered, for the client whose answer got lost.
    pub grace: TimeDelta,
}

/// Sessions and their tokens.
#[derive(Clone)]
pub struct Sessions {
    pub store: Arc<dyn SessionStore>,
    pub access: Arc<AccessTokens>,
    pub refresh: RefreshTokens,
    pub limiter: Limiter,
    pub options: SessionOptions,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Sessions {
    /// Spends a refresh token for a new pair. Showing a spent one ends the session, but for the grace after its use.
    ///
    /// # Errors
    /// `TokenInvalid`, `TokenExpired`, `TokenRevoked`, `Limited`, `Unavailable`.
    pub async fn refresh(&self, client: ClientNetwork, refresh: &str) -> Result<Tokens, AccountError> {
        let _spent = self
            .limiter
            .admit(Operation::TokenRefresh, &Subject::new(client))
            .await?;
        let token = self.refresh.read(refresh).ok_or(AccountError::TokenInvalid)?;
        let next = self
            .refresh
            .make(token.session, token.generation.saturating_add(1));
        let rotation = Rotation {
            session_id: token.session,
            generation: token.generation,
            token_hash: token.hash(),
            next_hash: next.hash(),
            now: self.clock.now(),
            grace: self.options.grace,
        };
        let (user, next) = match self.store.rotate(rotation).await? {
            Rotated::Rotated { user_id, .. } => (user_id, next),
            // The answer got lost on its way: it is given again.
            Rotated::Replayed {
                user_id,
                current_hash,
                ..
            } => {
                let again = self
                    .refresh
                    .make_again(token.session, next.generation, &current_hash);
                (user_id, again.ok_or(AccountError::TokenRevoked)?)
            }
            Rotated::Reused { .. } => {
                tracing::warn!(session.id = %token.session, "a spent refresh token was shown: its session is ended");
                return Err(AccountError::TokenRevoked);
            }
            Rotated::Revoked => return Err(AccountError::TokenRevoked),
            Rotated::Expired => return Err(AccountError::TokenExpired),
            Rotated::Unknown => return Err(AccountError::TokenInvalid),
        };
        Ok(self.pair(user, token.session, next.expose().to_owned()))
    }

    /// Who shows this access token, as the database has them now: a revoked session is refused at once.
    ///
    /// # Errors
    /// `TokenInvalid`, `TokenExpired`, `TokenRevoked`, `Unavailable`.
    pub async fn authenticate(&self, access: &str) -> Result<SignedIn, AccountError> {
        let now = self.clock.now();
        let claims = self.access.check(access, now)?;
        let view = self
            .store
            .view(claims.sid)
            .await?
            .ok_or(AccountError::TokenRevoked)?;
        if view.revoked || view.user.id != claims.sub {
            return Err(AccountError::TokenRevoked);
        }
        if view.expires_at <= now {
            return Err(AccountError::TokenExpired);
        }
        Ok(SignedIn {
            user: view.user,
            session: claims.sid,
        })
    }

    /// Counts a request for the current user.
    ///
    /// # Errors
    /// `Limited`, `Unavailable`.
    pub async fn admit_me(&self, client: ClientNetwork, user: &User) -> Result<(), AccountError> {
        let _spent = self
            .limiter
            .admit(Operation::Me, &Subject::new(client).with_user(Some(user.id)))
            .await?;
        Ok(())
    }

    /// Ends a session: its tokens are refused from now on.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn logout(&self, session: Uuid) -> Result<(), AccountError> {
        Ok(self.store.revoke(session, self.clock.now()).await?)
    }

    /// A session to be opened for a user, and its tokens.
    pub(in crate::accounts) fn prepare(&self, user_id: Uuid) -> (NewSession, Tokens) {
        let now = self.clock.now();
        let id = self.entropy.row_id(now);
        let refresh = self.refresh.make(id, 0);
        let session = NewSession {
            id,
            user_id,
            refresh_hash: refresh.hash(),
            now,
            expires_at: now + self.options.ttl,
        };
        (session, self.pair(user_id, id, refresh.expose().to_owned()))
    }

    fn pair(&self, user: Uuid, session: Uuid, refresh: String) -> Tokens {
        let access = self
            .access
            .sign(user, session, self.entropy.uuid(), self.clock.now());
        Tokens {
            access,
            refresh,
            expires_in: self.access.ttl(),
        }
    }
}
