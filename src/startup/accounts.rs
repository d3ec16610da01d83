//! Accounts and their sessions.

use std::sync::Arc;

use super::{
    administration::administration, base::Base, error::StartError, limits::Limits, stores::Databases,
};
use crate::{
    accounts::{
        Argon2Pool, KnownNetworks, Leave, OwnPassword, PasswordHasher, PasswordRules, Profiles, SessionUses,
        Sessions, SignIn,
    },
    admin::Administration,
    tokens::{AccessTokens, RefreshTokens},
};

/// What handlers need of accounts.
pub(super) struct Accounts {
    pub(super) sign_in: SignIn,
    pub(super) sessions: Sessions,
    pub(super) own_password: OwnPassword,
    pub(super) profiles: Profiles,
    pub(super) leave: Leave,
    pub(super) admin: Administration,
    pub(super) password_rules: PasswordRules,
}

pub(super) fn start(
    base: &Base<'_>,
    databases: &Databases,
    limits: &Limits,
    password_rules: PasswordRules,
) -> Result<Accounts, StartError> {
    let options = base.settings.passwords;
    let pool = Argon2Pool::new(options.cost, options.threads, Arc::clone(&base.entropy))?;
    let hasher = PasswordHasher::start(&base.supervision, pool, options.threads, options.queue)?;
    let access = AccessTokens::new(&base.keyring, base.settings.access.clone());
    let sessions = Sessions {
        store: Arc::clone(&databases.sessions),
        uses: SessionUses::default(),
        access: Arc::new(access),
        refresh: RefreshTokens::new(Arc::clone(&base.keyring)),
        limiter: limits.limiter.clone(),
        options: base.settings.sessions,
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    let own_password = OwnPassword {
        store: Arc::clone(&databases.passwords),
        hasher: hasher.clone(),
        limiter: limits.limiter.clone(),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    let leave = Leave {
        store: Arc::clone(&databases.records),
        own_password: own_password.clone(),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    let profiles = Profiles {
        users: Arc::clone(&databases.users),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    let networks = KnownNetworks {
        store: Arc::clone(&databases.networks),
        clock: Arc::clone(&base.clock),
    };
    let sign_in = SignIn {
        networks,
        users: Arc::clone(&databases.users),
        passwords: Arc::clone(&databases.passwords),
        hasher,
        sessions: sessions.clone(),
        keyring: Arc::clone(&base.keyring),
        limiter: limits.limiter.clone(),
        refusals: base.refusals.clone(),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    };
    Ok(Accounts {
        sign_in,
        sessions,
        own_password,
        profiles,
        leave,
        admin: administration(base, databases),
        password_rules,
    })
}
