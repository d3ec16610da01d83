//! Making an account, and signing in to one by its password.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    AccountError,
    networks::KnownNetworks,
    passwords::{Login, Password, PasswordHash, PasswordHasher, PasswordStore, Turn},
    sessions::{ClientInfo, Identity, Sessions, Tokens},
    users::{EmailLoss, NewUser, PersonName, RegisterError, User, UserStore},
};
use crate::{
    clock::Clock,
    email::{EmailAddress, EmailDigest},
    entropy::Entropy,
    events::{EventKind, NewEvent, NewNotice, NoticeKind, RefusalKey, RefusalTally, Source},
    limits::{ClientNetwork, KeyDimension, Limiter, Operation, Subject},
    phone::PhoneNumber,
    secrets::Keyring,
    security,
    tokens::Amr,
};

/// The epoch of sessions that an account begins with.
const NEW_EPOCH: i64 = 0;

/// What somebody enters to get an account, every field judged already.
#[derive(Debug)]
pub struct Registration {
    pub email: EmailAddress,
    pub phone: PhoneNumber,
    pub first_name: PersonName,
    pub last_name: PersonName,
    pub password: Password,
}

/// The way in.
#[derive(Clone)]
pub struct SignIn {
    pub users: Arc<dyn UserStore>,
    pub passwords: Arc<dyn PasswordStore>,
    pub networks: KnownNetworks,
    pub hasher: PasswordHasher,
    pub sessions: Sessions,
    pub keyring: Arc<Keyring>,
    pub limiter: Limiter,
    /// Failed logins are counted here.
    pub refusals: RefusalTally,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl SignIn {
    /// Makes an account and opens its first session. The phone is a claim, no more.
    ///
    /// # Errors
    /// `EmailTaken`, `Limited`, `Unavailable`; at once, and with nothing asked or spent, when too many passwords wait
    /// to be hashed.
    pub async fn register(
        &self,
        who: &ClientInfo,
        registration: Registration,
    ) -> Result<(User, Tokens), AccountError> {
        let turn = self.admit(who, &registration).await?;
        self.make(turn, who, registration, false).await
    }

    /// Asks the limits, and takes a place among the passwords to be hashed.
    ///
    /// # Errors
    /// `Limited`, `Unavailable`, as at [`SignIn::register`].
    pub async fn admit(&self, who: &ClientInfo, registration: &Registration) -> Result<Turn, AccountError> {
        let keys = self.keyring.current();
        let subject = Subject::new(who.network)
            .with_phone(registration.phone.clone(), &keys.phone)
            .with_email(EmailDigest::of(&registration.email, &keys.email));
        // A flood from one network must not fill the queue for the hashing threads; what that refuses spends nothing more.
        let shed = self.limiter.shed(Operation::Register, &subject).await?;
        let turn = self.hasher.reserve_hash(who.network)?;
        let _spent = self.limiter.admit_further(shed, &subject).await?;
        Ok(turn)
    }

    /// Makes the account that was let in. `is_proven`: a code proved its e-mail address, which is taken from an account that
    /// never proved it.
    ///
    /// # Errors
    /// `EmailTaken`: with `is_proven`, only where an account has it verified. `Unavailable`.
    pub async fn make(
        &self,
        turn: Turn,
        who: &ClientInfo,
        registration: Registration,
        is_proven: bool,
    ) -> Result<(User, Tokens), AccountError> {
        let password = turn.hash(registration.password).await?;
        let now = self.clock.now();
        let id = self.entropy.row_id(now);
        // Before the session's, so that they sort in their order.
        let event = NewEvent::new(
            EventKind::AccountRegistered,
            Source::user(id, who.network),
            now,
            self.entropy.as_ref(),
        );
        let (session, refresh) = self.sessions.prepare(id, NEW_EPOCH, Amr::Password, who);
        let user = NewUser {
            id,
            email: registration.email,
            phone: registration.phone,
            first_name: registration.first_name,
            last_name: registration.last_name,
            password,
            now,
            event,
        };
        let made = match is_proven {
            false => self.users.register(user, session).await,
            true => {
                let (source, entropy) = (Source::system(), self.entropy.as_ref());
                let loss = EmailLoss {
                    event: NewEvent::new(EventKind::EmailTaken, source, now, entropy),
                    notice: NewNotice::new(NoticeKind::EmailTaken, None, now, entropy),
                };
                self.users.register_proven(user, session, loss).await
            }
        };
        match made {
            Ok(user) => {
                let identity = Identity {
                    user_id: user.id,
                    phone_verified: user.phone_verified,
                    email_verified: user.email_verified,
                    amr: Amr::Password,
                    authenticated_at: now,
                    role: None,
                };
                let tokens = self.sessions.pair(&identity, &refresh);
                Ok((user, tokens))
            }
            Err(RegisterError::EmailTaken) => Err(AccountError::EmailTaken),
            Err(RegisterError::Unavailable(unavailable)) => Err(unavailable.into()),
        }
    }

    /// Opens a session for whoever knows the password. An unknown login, a wrong password and a locked account take
    /// the same time and say the same.
    ///
    /// # Errors
    /// `InvalidCredentials`, `Limited`, `Unavailable`, as at [`SignIn::register`].
    pub async fn login(
        &self,
        who: &ClientInfo,
        login: Login,
        password: Password,
    ) -> Result<(User, Tokens), AccountError> {
        let keys = self.keyring.current();
        let mut subject = Subject::new(who.network).with_login(login.digest(&keys.login));
        if let Login::Phone(phone) = &login {
            subject = subject.with_phone(phone.clone(), &keys.phone);
        }
        let shed = self.limiter.shed(Operation::Login, &subject).await?;
        let turn = self.hasher.reserve(who.network)?;
        // Whoever comes from where the account was signed in to is not under what strangers spend.
        let asker = self.networks.asker(who.network, &login).await?;
        let subject = subject.with_asker(asker);
        let spent = self.limiter.admit_further(shed, &subject).await?;
        let credentials = self.passwords.credentials(&login).await?;
        let hash = credentials
            .as_ref()
            .and_then(|credentials| credentials.password.clone());
        let verdict = turn.verify(password.clone(), hash).await?;
        let credentials = match credentials {
            Some(credentials) if verdict.matches && !credentials.locked => credentials,
            found => {
                let reason = match &found {
                    None => "unknown",
                    Some(_) if !verdict.matches => "password",
                    Some(_) => "locked",
                };
                let about = found.map(|credentials| credentials.user.id);
                let (kind, client) = (EventKind::LoginFailed, who.network);
                self.refusals
                    .note(RefusalKey::of_anyone(kind, about, client, reason));
                tracing::info!(
                    target: security::TARGET,
                    { client.network = %who.network, login.digest = %login.digest(&keys.login) },
                    "auth.login.failed"
                );
                return Err(AccountError::InvalidCredentials);
            }
        };
        // A right password is no guess: earlier failures stay counted, this try doesn't. What it cost the address
        // stays, for it was a hash.
        self.limiter.give_back(spent.only(KeyDimension::User)).await;
        let user = credentials.user;
        if let Some(old) = credentials.password.filter(|_| verdict.needs_rehash) {
            self.rehash(user.id, who.network, password, &old).await;
        }
        let tokens = self
            .sessions
            .open_for(user.id, credentials.session_epoch, Amr::Password, who)
            .await?;
        Ok((user, tokens))
    }

    /// Brings an old hash up to today's parameters; a login doesn't fail over it.
    async fn rehash(&self, user: Uuid, client: ClientNetwork, password: Password, old: &PasswordHash) {
        let outcome = async {
            let new = self.hasher.reserve_hash(client)?.hash(password).await?;
            self.passwords.replace_hash(user, old, &new).await
        };
        let outcome = outcome.await;
        if let Err(error) = outcome {
            tracing::warn!(%error, "a password keeps its old hash until the next login");
        }
    }
}
