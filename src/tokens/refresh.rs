//! Refresh tokens: opaque to clients, spent at each use (RFC 9700 section 4.14.2: rotation and reuse detection).
//!
//! A token is `session ‖ generation ‖ HMAC(secret, session ‖ generation)`. So whoever shows one was given it by this
//! service, and an old one proves a theft rather than a guess; and the answer to a rotation that got lost on its way
//! can be given again, although the database keeps a hash alone.

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::secrets::{Keyring, MacKey};

/// Session, generation, tag.
const BYTES: usize = 16 + 4 + 32;

/// A refresh token that this service made.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session it renews.
    pub session: Uuid,
    /// How many rotations came before it.
    pub generation: u32,
    text: Zeroizing<String>,
}

impl RefreshToken {
    /// What the client gets.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What the database keeps: its SHA-256. The token holds 256 bits that can't be guessed, so no salt is needed.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken(•••, generation {})", self.generation)
    }
}

/// Makes and reads refresh tokens.
#[derive(Debug, Clone)]
pub struct RefreshTokens(Arc<Keyring>);

impl RefreshTokens {
    /// Under the secrets of `keyring`.
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }

    /// The token of a session's `generation`th rotation; the same each time it is asked for.
    pub fn make(&self, session: Uuid, generation: u32) -> RefreshToken {
        Self::make_under(&self.0.current().refresh, session, generation)
    }

    fn make_under(key: &MacKey, session: Uuid, generation: u32) -> RefreshToken {
        let tag = tag(key, session, generation);
        let bytes = [session.as_bytes().as_slice(), &generation.to_be_bytes(), &tag].concat();
        RefreshToken {
            session,
            generation,
            text: Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        }
    }

    /// The token of a generation whose hash is known, under whichever secret made it.
    pub fn make_again(&self, session: Uuid, generation: u32, hash: &[u8; 32]) -> Option<RefreshToken> {
        let made = self
            .0
            .all()
            .iter()
            .map(|keys| Self::make_under(&keys.refresh, session, generation));
        made.into_iter().find(|token| token.hash() == *hash)
    }

    /// Reads what a client shows; `None` unless it was made here, under a secret still in force.
    pub fn read(&self, text: &str) -> Option<RefreshToken> {
        if text.len() != BYTES.div_ceil(3) * 4 - 2 {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, rest) = bytes.split_at_checked(16)?;
        let (generation, shown) = rest.split_at_checked(4)?;
        let session = Uuid::from_slice(session).ok()?;
        let generation = u32::from_be_bytes(generation.try_into().ok()?);
        let made_here = self
            .0
            .all()
            .iter()
            .any(|keys| tag(&keys.refresh, session, generation).ct_eq(shown).into());
        made_here.then(|| RefreshToken {
            session,
            generation,
            text: Zeroizing::new(text.to_owned()),
        })
    }
}

fn tag(key: &MacKey, session: Uuid, generation: u32) -> [u8; 32] {
    key.tag(&[session.as_bytes(), &generation.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn tokens(secrets: &[u8]) -> RefreshTokens {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|&byte| BASE64_STANDARD.encode([byte; 32]))
            .collect();
        RefreshTokens::new(Arc::new(Keyring::parse(&secrets.join(",")).unwrap()))
    }

    #[test]
    fn a_token_is_read_back_and_made_again() {
        let tokens = tokens(&[1]);
        let token = tokens.make(Uuid::from_u128(5), 9);
        assert_eq!(tokens.read(token.expose()), Some(token.clone()));
        assert_eq!(tokens.make(Uuid::from_u128(5), 9), token);
    }

    #[test]
    fn what_was_not_made_here_is_not_read() {
        let token = tokens(&[1]).make(Uuid::from_u128(5), 9);
        assert!(tokens(&[2]).read(token.expose()).is_none());
        let mut forged = token.expose().to_owned().into_bytes();
        forged[24] ^= 1; // within the generation
        assert!(tokens(&[1]).read(std::str::from_utf8(&forged).unwrap()).is_none());
        assert!(tokens(&[1]).read("").is_none() && tokens(&[1]).read(&"a".repeat(70)).is_none());
    }

    #[test]
    fn a_rotated_secret_still_reads_old_tokens() {
        let old = tokens(&[1]).make(Uuid::from_u128(5), 0);
        assert!(tokens(&[2, 1]).read(old.expose()).is_some());
    }
}
