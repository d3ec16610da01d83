//! What a client does with a session: open one, renew its tokens, show one, sign out.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    ClientInfo, Identity, Liveness, NewSession, Rotated, Rotation, SessionStore, SessionUses, uses::EXACTNESS,
};
use crate::{
    accounts::{AccountError, users::User},
    clock::Clock,
    entropy::Entropy,
    events::{EventKind, NewEvent, Source},
    limits::{ClientNetwork, Limiter, Operation, Subject},
    security,
    tokens::{AccessClaims, AccessGrant, AccessTokens, Amr, RefreshToken, RefreshTokens, Role},
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
    /// How the session was opened, and when its owner last proved who they are.
    pub amr: Amr,
    pub authenticated_at: DateTime<Utc>,
}

/// What an administrator proved beside the password.
#[derive(Debug, Clone, Copy)]
pub struct SecondProof {
    /// How both proofs were given.
    pub amr: Amr,
    pub role: Role,
    /// When the session ends.
    pub until: DateTime<Utc>,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// How long a session lives, however often it is refreshed.
    pub ttl: Duration,
    /// How long after a rotation the old token is still answered, for the client whose answer got lost.
    pub grace: TimeDelta,
    /// For how long a session may go unused; zero is for ever.
    pub idle_ttl: TimeDelta,
    /// Live sessions of an account: one more ends the one that was unused the longest.
    pub most: u32,
}

impl SessionOptions {
    /// What tells a live session from one that is over.
    pub fn liveness(&self, now: DateTime<Utc>) -> Liveness {
        Liveness {
            now,
            idle_before: self.idle_before(now),
        }
    }

    /// What was last used before is over. Later than the limit by what uses may be noted late.
    fn idle_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.idle_ttl.is_zero() {
            DateTime::UNIX_EPOCH
        } else {
            now - self.idle_ttl - EXACTNESS
        }
    }
}

/// Sessions and their tokens.
#[derive(Clone)]
pub struct Sessions {
    pub store: Arc<dyn SessionStore>,
    pub uses: SessionUses,
    pub access: Arc<AccessTokens>,
    pub refresh: RefreshTokens,
    pub limiter: Limiter,
    pub options: SessionOptions,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Sessions {
    /// Spends a refresh token for a new pair. Showing a spent one ends the session, unless its answer was lost or it was
    /// spent a moment ago.
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
            idle_before: self.liveness().idle_before,
            grace: self.options.grace,
            event: self.event(EventKind::SessionReused, Source::anyone(client), token.session),
        };
        let (identity, next) = match self.store.rotate(rotation).await? {
            Rotated::Rotated { identity, .. } => (identity, next),
            // The answer got lost on its way, or another tab was first.
            Rotated::Replayed {
                identity,
                generation,
                current_hash,
                ..
            } => {
                let again = self.refresh.make_again(token.session, generation, &current_hash);
                (identity, again.ok_or(AccountError::TokenRevoked)?)
            }
            Rotated::Reused { .. } => {
                tracing::warn!(
                    target: security::TARGET,
                    { session.id = %token.session },
                    "auth.token.reused: a spent refresh token was shown, and its session is ended"
                );
                return Err(AccountError::TokenRevoked);
            }
            Rotated::Revoked => return Err(AccountError::TokenRevoked),
            Rotated::Expired => return Err(AccountError::TokenExpired),
            Rotated::Unknown => return Err(AccountError::TokenInvalid),
        };
        Ok(self.pair(&identity, &next))
    }

    /// Who shows this access token, as the database has them now: a revoked session is refused at once.
    ///
    /// # Errors
    /// `TokenInvalid`, `TokenExpired`, `TokenRevoked`, `Unavailable`.
    pub async fn authenticate(&self, access: &str) -> Result<SignedIn, AccountError> {
        let now = self.clock.now();
        let claims = self.access.check(access, now)?;
        self.session_of(&claims, now).await
    }

    async fn session_of(&self, claims: &AccessClaims, now: DateTime<Utc>) -> Result<SignedIn, AccountError> {
        let view = self
            .store
            .view(claims.sid)
            .await?
            .ok_or(AccountError::TokenRevoked)?;
        if view.revoked || view.user.id != claims.sub {
            return Err(AccountError::TokenRevoked);
        }
        if view.expires_at <= now || view.used_at < self.options.idle_before(now) {
            return Err(AccountError::TokenExpired);
        }
        if now - view.used_at >= EXACTNESS {
            self.uses.note(claims.sid, now);
        }
        if i64::from(claims.generation) > view.shown {
            self.store.note_shown(claims.sid, claims.generation).await?;
        }
        Ok(SignedIn {
            user: view.user,
            session: claims.sid,
            amr: view.amr,
            authenticated_at: view.authenticated_at,
        })
    }

    /// Whose session this is, as the database has them now, where something else than a token names it.
    ///
    /// # Errors
    /// `TokenRevoked`, `TokenExpired`, `Unavailable`.
    pub async fn seen(&self, session: Uuid) -> Result<SignedIn, AccountError> {
        let now = self.clock.now();
        let view = self
            .store
            .view(session)
            .await?
            .ok_or(AccountError::TokenRevoked)?;
        if view.revoked {
            return Err(AccountError::TokenRevoked);
        }
        if view.expires_at <= now || view.used_at < self.options.idle_before(now) {
            return Err(AccountError::TokenExpired);
        }
        self.uses.note(session, now);
        Ok(SignedIn {
            user: view.user,
            session,
            amr: view.amr,
            authenticated_at: view.authenticated_at,
        })
    }

    /// Counts a request whose token was refused, and says what it is answered: whoever sends many is told to wait.
    pub async fn refuse(&self, client: ClientNetwork, error: AccountError) -> AccountError {
        let counted = self.limiter.admit(Operation::Other, &Subject::new(client)).await;
        match (error, counted) {
            (error @ (AccountError::Unavailable(_) | AccountError::Limited(_)), _) | (error, Ok(_)) => error,
            (_, Err(denied)) => denied.into(),
        }
    }

    /// Who shows this access token, if the limits on one's own account let the request pass. One whose token is refused
    /// counts in none of them.
    ///
    /// # Errors
    /// As for [`Sessions::authenticate`]; `Limited`.
    pub async fn current(&self, client: ClientNetwork, access: &str) -> Result<SignedIn, AccountError> {
        let now = self.clock.now();
        let claims = self.access.check(access, now)?;
        let subject = Subject::new(client).with_user(Some(claims.sub));
        // The limits are asked at once, and answer while the database is asked.
        let mut admission = pin!(self.limiter.admit(Operation::Me, &subject));
        let early = begin(admission.as_mut());
        let signed_in = self.session_of(&claims, now).await;
        let admission = match early {
            Some(admission) => admission,
            None => admission.await,
        };
        match (signed_in, admission) {
            (Ok(signed_in), Ok(_spent)) => Ok(signed_in),
            (Ok(_), Err(denied)) => Err(denied.into()),
            (Err(error), admission) => {
                if let Ok(spent) = admission {
                    self.limiter.give_back(spent).await;
                }
                Err(error)
            }
        }
    }

    /// Whose access token it is, if it is one of ours; its session may have ended.
    pub fn whose(&self, access: &str) -> Option<Uuid> {
        let claims = self.access.check(access, self.clock.now()).ok()?;
        Some(claims.sub)
    }

    /// The session of a refresh token, spent or not, whose access token may have expired: for signing out.
    ///
    /// # Errors
    /// `TokenInvalid`.
    pub fn of_refresh(&self, refresh: &str) -> Result<Uuid, AccountError> {
        let token = self.refresh.read(refresh).ok_or(AccountError::TokenInvalid)?;
        Ok(token.session)
    }

    /// Ends a session: its tokens are refused from now on.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn logout(&self, client: ClientNetwork, session: Uuid) -> Result<(), AccountError> {
        let event = self.event(EventKind::SessionEnded, Source::owner(client), session);
        Ok(self.store.revoke(session, event).await?)
    }

    /// An event of now, about a session.
    pub(in crate::accounts) fn event(&self, kind: EventKind, source: Source, session: Uuid) -> NewEvent {
        NewEvent::new(kind, source, self.clock.now(), self.entropy.as_ref()).with("session", session)
    }

    /// Opens a session for an account whose owner was just proven; `epoch` is its `session_epoch` as it was read for that
    /// proof.
    ///
    /// # Errors
    /// `InvalidCredentials` where its sessions were ended meanwhile or it was locked: nothing is open then; `Unavailable`.
    pub async fn open_for(
        &self,
        user_id: Uuid,
        epoch: i64,
        amr: Amr,
        who: &ClientInfo,
    ) -> Result<Tokens, AccountError> {
        let (session, refresh) = self.prepare(user_id, epoch, amr, who);
        self.open(session, &refresh).await
    }

    async fn open(&self, session: NewSession, refresh: &RefreshToken) -> Result<Tokens, AccountError> {
        let user_id = session.user_id;
        let opened = self.store.open(session).await?;
        let identity = opened.ok_or(AccountError::InvalidCredentials)?;
        // Afterwards, so that of many that open one at once the last sees all of them.
        let event = self.event(EventKind::SessionsEnded, Source::system(), refresh.session);
        self.store.end_surplus(user_id, self.options.most, event).await?;
        Ok(self.pair(&identity, refresh))
    }

    /// Opens the session of an administrator who gave a second proof, until `until`.
    ///
    /// # Errors
    /// As for [`Sessions::open_for`].
    pub async fn open_administrators(
        &self,
        user_id: Uuid,
        epoch: i64,
        proof: SecondProof,
        who: &ClientInfo,
    ) -> Result<Tokens, AccountError> {
        let (session, refresh) = self.prepare(user_id, epoch, proof.amr, who);
        let session = NewSession {
            role: Some(proof.role),
            expires_at: proof.until.min(session.expires_at),
            event: session.event.with("role", proof.role.name()),
            ..session
        };
        self.open(session, &refresh).await
    }

    /// What tells a live session from one that is over, now.
    pub(super) fn liveness(&self) -> Liveness {
        self.options.liveness(self.clock.now())
    }

    /// A session to be opened for a user, and its refresh token.
    pub(in crate::accounts) fn prepare(
        &self,
        user_id: Uuid,
        epoch: i64,
        amr: Amr,
        who: &ClientInfo,
    ) -> (NewSession, RefreshToken) {
        let now = self.clock.now();
        let id = self.entropy.row_id(now);
        let refresh = self.refresh.make(id, 0);
        let session = NewSession {
            id,
            user_id,
            refresh_hash: refresh.hash(),
            epoch,
            amr,
            role: None,
            authenticated_at: now,
            client: who.client.clone(),
            network: Some(who.network.coarse()),
            now,
            expires_at: now + self.options.ttl,
            event: self
                .event(EventKind::SessionOpened, Source::user(user_id, who.network), id)
                .with("amr", amr.stored()),
        };
        (session, refresh)
    }

    /// The tokens of a session that is open.
    pub(in crate::accounts) fn pair(&self, identity: &Identity, refresh: &RefreshToken) -> Tokens {
        let grant = AccessGrant {
            user: identity.user_id,
            session: refresh.session,
            generation: refresh.generation,
            phone_verified: identity.phone_verified,
            email_verified: identity.email_verified,
            amr: identity.amr,
            authenticated_at: identity.authenticated_at,
            role: identity.role,
        };
        Tokens {
            access: self.access.sign(&grant, self.entropy.uuid(), self.clock.now()),
            refresh: refresh.expose().to_owned(),
            expires_in: self.access.ttl(),
        }
    }
}

/// Has `work` begin, so that what it asks others is answered while something else is waited for. Nobody is woken by these
/// answers: each time a handler is woken costs actix-web a look at its connection, some 10,000 instructions.
fn begin<F: Future>(work: Pin<&mut F>) -> Option<F::Output> {
    match work.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}
