//! The sections about accounts and their sessions: `passwords`, `tokens`.

use std::time::Duration;

use super::{
    MINUTE, SECOND,
    reader::{Reader, Refused},
};
use crate::accounts::Argon2Cost;

/// How costly a guess at a stolen password is (argon2id).
#[derive(Debug, Clone)]
pub struct PasswordsSettings {
    /// Memory for one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes within it.
    pub parallelism: u32,
    /// Threads that hash, at least 1: the number of cores, where the key says 0.
    pub threads: usize,
    /// Hashes that wait for a thread.
    pub queue: usize,
}

impl PasswordsSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let settings = Self {
            memory_kib: reader.integer("passwords.memory_kib", 8..=Argon2Cost::MAX_MEMORY_KIB),
            iterations: reader.integer("passwords.iterations", 1..=Argon2Cost::MAX_PASSES),
            parallelism: reader.integer("passwords.parallelism", 1..=64),
            threads: reader.cores("passwords.threads", 256),
            queue: reader.integer("passwords.queue", 1..=10_000),
        };
        // RFC 9106, section 3.1: at least 8 KiB for each lane.
        let least = 8 * settings.parallelism;
        if settings.memory_kib < least {
            reader.refuse(
                "passwords.memory_kib",
                format!("must be {least} or more: 8 for each of passwords.parallelism"),
            );
        }
        settings
    }
}

/// How long a session lasts.
#[derive(Debug, Clone)]
pub struct TokensSettings {
    /// The `aud` of access tokens.
    pub audience: String,
    /// How long an access token is good for.
    pub access_ttl: Duration,
    /// How long a refresh token is good for.
    pub refresh_ttl: Duration,
    /// For how long a rotated refresh token may come again, for an answer that got lost.
    pub refresh_grace: Duration,
    /// Verified access tokens that are remembered; 0 for none.
    pub cache: usize,
}

impl TokensSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let is_audience =
            |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|sign| sign.is_ascii_graphic());
        let day = 24 * 60 * MINUTE;
        Self {
            audience: reader.text("tokens.audience", "1 to 128 ASCII signs without spaces", |text| {
                if is_audience(text) {
                    Ok(text.to_owned())
                } else {
                    Err(Refused::default())
                }
            }),
            access_ttl: reader.duration("tokens.access_ttl", SECOND..=day),
            refresh_ttl: reader.duration("tokens.refresh_ttl", SECOND..=365 * day),
            refresh_grace: reader.duration("tokens.refresh_grace", Duration::ZERO..=5 * MINUTE),
            cache: reader.integer("tokens.cache", 0..=10_000_000),
        }
    }
}
