//! Accounts and their sessions.

use std::sync::Arc;

use super::{StartError, base::Base, limits::Limits, stores::Databases};
use crate::{
    accounts::{Accounts, Argon2Pool, PasswordHasher},
    tokens::{AccessTokens, RefreshTokens},
};

pub(super) fn start(base: &Base<'_>, databases: &Databases, limits: &Limits) -> Result<Accounts, StartError> {
    let options = base.settings.passwords;
    let pool = Argon2Pool::new(options.cost, options.threads, Arc::clone(&base.entropy))?;
    let hasher = PasswordHasher::start(&base.supervision, pool, options.threads, options.queue)?;
    let access = AccessTokens::new(&base.keyring, base.settings.access.clone());
    Ok(Accounts {
        store: Arc::clone(&databases.accounts),
        hasher,
        access: Arc::new(access),
        refresh: RefreshTokens::new(Arc::clone(&base.keyring)),
        keyring: Arc::clone(&base.keyring),
        limiter: limits.limiter.clone(),
        sessions: base.settings.sessions,
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    })
}
