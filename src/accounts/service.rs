//! Signing up, in and out: what the HTTP side asks for in one call each.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use thiserror::Error;
use uuid::Uuid;

use super::{
    AccountStore, Login, NewSession, NewUser, Password, PasswordHasher, PersonName, RegisterError, Rotated,
    Rotation, User,
};
use crate::{
    clock::Clock,
    email::EmailAddress,
    entropy::Entropy,
    limits::{By, ClientNetwork, Denied, Limiter, Operation, Refusal, Subject},
    phone::PhoneNumber,
    problem::{Problem, ProblemDetails},
    secrets::Keyring,
    tokens::{AccessTokens, RefreshTokens, TokenError},
    unavailable::Unavailable,
};

/// What somebody enters to get an account, every field judged already.
#[derive(Debug)]
pub struct Registration {
    pub email: EmailAddress,
    pub phone: PhoneNumber,
    pub first_name: PersonName,
    pub last_name: PersonName,
    pub password: Password,
}

/// A session's pair of tokens.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    /// How long the access token is good.
    pub expires_in: Duration,
}

/// Whoever showed a good token.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub user: User,
    pub session: Uuid,
}

/// Why somebody is not let in.
#[derive(Debug, Error)]
pub enum AccountError {
    #[error("the e-mail address has an account")]
    EmailTaken,
    #[error("no account has this login and password")]
    InvalidCredentials,
    #[error("not a token of this service")]
    TokenInvalid,
    #[error("the token's time is over")]
    TokenExpired,
    #[error("the session was ended")]
    TokenRevoked,
    #[error("refused by a rate limit")]
    Limited(Refusal),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Problem for AccountError {
    fn details(&self) -> ProblemDetails {
        match self {
            Self::EmailTaken => {
                ProblemDetails::new(409, "email_taken", "An account with this e-mail already exists.")
            }
            Self::InvalidCredentials => ProblemDetails::new(
                401,
                "invalid_credentials",
                "No account has this login and password.",
            ),
            Self::TokenInvalid => ProblemDetails::new(401, "token_invalid", "The token is not valid."),
            Self::TokenExpired => ProblemDetails::new(401, "token_expired", "The token has expired."),
            Self::TokenRevoked => ProblemDetails::new(401, "token_revoked", "The session has ended."),
            Self::Limited(refusal) => refusal.details(),
            Self::Unavailable(unavailable) => unavailable.details(),
        }
    }

    fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Unavailable(unavailable) => Some(unavailable),
            _ => None,
        }
    }
}

impl From<Denied> for AccountError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Refused(refusal) => Self::Limited(refusal),
            Denied::Unavailable(unavailable) => Self::Unavailable(unavailable),
        }
    }
}

impl From<TokenError> for AccountError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::TokenInvalid,
            TokenError::Expired => Self::TokenExpired,
        }
    }
}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// How long a session lives, however often it is refreshed.
    pub ttl: Duration,
    /// How long after a rotation the old token is still answered, for the client whose answer got lost.
    pub grace: TimeDelta,
}

/// The way to accounts and their sessions.
#[derive(Clone)]
pub struct Accounts {
    pub store: Arc<dyn AccountStore>,
    pub hasher: PasswordHasher,
    pub access: Arc<AccessTokens>,
    pub refresh: RefreshTokens,
    pub keyring: Arc<Keyring>,
    pub limiter: Limiter,
    pub sessions: SessionOptions,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Accounts {
    /// Makes an account and opens its first session. The phone is a claim, no more.
    ///
    /// # Errors
    /// `EmailTaken`, `Limited`, `Unavailable`; at once, and with nothing asked or spent, when too many passwords wait
    /// to be hashed.
    pub async fn register(
        &self,
        client: ClientNetwork,
        registration: Registration,
    ) -> Result<(User, Tokens), AccountError> {
        let turn = self.hasher.reserve()?;
        let keys = self.keyring.current();
        let subject = Subject::new(client).with_phone(registration.phone.clone(), &keys.phone);
        let _spent = self.limiter.admit(Operation::Register, &subject).await?;
        let password = turn.hash(registration.password).await?;
        let now = self.clock.now();
        let id = self.entropy.row_id(now);
        let (session, tokens) = self.new_session(id);
        let user = NewUser {
            id,
            email: registration.email,
            phone: registration.phone,
            first_name: registration.first_name,
            last_name: registration.last_name,
            password,
            now,
        };
        match self.store.register(user, session).await {
            Ok(user) => Ok((user, tokens)),
            Err(RegisterError::EmailTaken) => Err(AccountError::EmailTaken),
            Err(RegisterError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }

    /// Opens a session for whoever knows the password. An unknown login, a wrong password and a locked account take
    /// the same time and say the same.
    ///
    /// # Errors
    /// `InvalidCredentials`, `Limited`, `Unavailable`, which is told as at [`Accounts::register`].
    pub async fn login(
        &self,
        client: ClientNetwork,
        login: Login,
        password: Password,
    ) -> Result<(User, Tokens), AccountError> {
        let turn = self.hasher.reserve()?;
        let keys = self.keyring.current();
        let mut subject = Subject::new(client).with_login(login.digest(&keys.login));
        if let Login::Phone(phone) = &login {
            subject = subject.with_phone(phone.clone(), &keys.phone);
        }
        let spent = self.limiter.admit(Operation::Login, &subject).await?;
        let credentials = self.store.credentials(&login).await?;
        let hash = credentials
            .as_ref()
            .map(|credentials| credentials.password.clone());
        let verdict = turn.verify(password.clone(), hash).await?;
        let credentials = match credentials {
            Some(credentials) if verdict.matches && !credentials.locked => credentials,
            _ => return Err(AccountError::InvalidCredentials),
        };
        // A right password is no guess: his failures stay counted, this try doesn't. What it cost the address stays,
        // for it was a hash.
        self.limiter.give_back(spent.only(By::User)).await;
        let user = credentials.user;
        if verdict.needs_rehash {
            self.rehash(user.id, password, &credentials.password).await;
        }
        let (session, tokens) = self.new_session(user.id);
        self.store.open_session(session).await?;
        Ok((user, tokens))
    }

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
            grace: self.sessions.grace,
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

    /// Who shows this access token, as the database has him now: a revoked session is refused at once.
    ///
    /// # Errors
    /// `TokenInvalid`, `TokenExpired`, `TokenRevoked`, `Unavailable`.
    pub async fn authenticate(&self, access: &str) -> Result<SignedIn, AccountError> {
        let now = self.clock.now();
        let claims = self.access.check(access, now)?;
        let view = self
            .store
            .session(claims.sid)
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

    /// Counts a look at one's own account.
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

    fn new_session(&self, user_id: Uuid) -> (NewSession, Tokens) {
        let now = self.clock.now();
        let id = self.entropy.row_id(now);
        let refresh = self.refresh.make(id, 0);
        let session = NewSession {
            id,
            user_id,
            refresh_hash: refresh.hash(),
            now,
            expires_at: now + self.sessions.ttl,
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

    /// Brings an old hash up to today's parameters; a login doesn't fail over it.
    async fn rehash(&self, user: Uuid, password: Password, old: &super::PasswordHash) {
        let outcome = async {
            let new = self.hasher.reserve()?.hash(password).await?;
            self.store.set_password_hash(user, old, &new).await
        };
        let outcome = outcome.await;
        if let Err(error) = outcome {
            tracing::warn!(%error, "a password keeps its old hash until the next login");
        }
    }
}
