//! Addresses that no account has yet, sealed: only who has the secret reads them.
//!
//! Each is sealed under a key of its own, derived from the secret and what is random of the challenge that it is for. So
//! the nonce may always be the same, and what was sealed for one challenge opens for no other.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::secrets::SecretKeys;

/// A sealed address. Whoever keeps it or carries it can't look into it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedAddress(Box<[u8]>);

impl SealedAddress {
    /// Bytes of the longest: those of an e-mail address, and the 16 of the seal.
    pub const MAX_BYTES: usize = 254 + 16;

    /// Seals an address for one challenge, by bytes that no other has. `None` for what is longer than any address.
    pub fn seal(keys: &SecretKeys, challenge: [u8; 16], address: &str) -> Option<Self> {
        // Room for the seal from the start: what grows leaves a piece in clear behind.
        let mut bytes = Vec::with_capacity(Self::MAX_BYTES);
        bytes.extend_from_slice(address.as_bytes());
        let (key, nonce) = key_for(keys, challenge)?;
        key.seal_in_place_append_tag(nonce, Aad::from(challenge), &mut bytes)
            .ok()?;
        Self::from_bytes(&bytes)
    }

    /// The address, if this secret sealed it for this challenge.
    pub fn open(&self, keys: &SecretKeys, challenge: [u8; 16]) -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new(self.0.to_vec());
        let (key, nonce) = key_for(keys, challenge)?;
        let opened = key.open_in_place(nonce, Aad::from(challenge), &mut bytes);
        Some(Zeroizing::new(str::from_utf8(opened.ok()?).ok()?.to_owned()))
    }

    /// Takes back what [`SealedAddress::as_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX_BYTES).then(|| Self(bytes.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedAddress(•••)")
    }
}

/// The key for one challenge, and the nonce that it is used with once.
fn key_for(keys: &SecretKeys, challenge: [u8; 16]) -> Option<(LessSafeKey, Nonce)> {
    let key = Zeroizing::new(keys.sealed_address.tag(&[&challenge]));
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).ok()?;
    Some((
        LessSafeKey::new(key),
        Nonce::assume_unique_for_key([0; NONCE_LEN]),
    ))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::secrets::Keyring;

    fn keys(byte: u8) -> SecretKeys {
        let keyring = Keyring::parse(&BASE64_STANDARD.encode([byte; 32])).unwrap();
        keyring.current().clone()
    }

    #[test]
    fn it_opens_for_its_secret_and_challenge_alone() {
        let (mine, other) = ([7; 16], [8; 16]);
        for address in ["+14152000001", "jane@example.com", &"x".repeat(254)] {
            let sealed = SealedAddress::seal(&keys(1), mine, address).unwrap();
            assert_eq!(sealed.open(&keys(1), mine).unwrap().as_str(), address);
            assert!(sealed.open(&keys(2), mine).is_none());
            assert!(sealed.open(&keys(1), other).is_none());
            let (kept, clear) = (sealed.as_bytes(), address.as_bytes());
            assert!(
                !kept
                    .windows(8)
                    .any(|part| clear.windows(8).any(|other| part == other))
            );
            assert_eq!(SealedAddress::from_bytes(kept), Some(sealed));
        }
    }

    #[test]
    fn what_was_changed_does_not_open_and_what_is_too_long_is_not_sealed() {
        let id = [7; 16];
        let sealed = SealedAddress::seal(&keys(1), id, "jane@example.com").unwrap();
        for at in 0..sealed.as_bytes().len() {
            let mut changed = sealed.as_bytes().to_vec();
            changed[at] ^= 1;
            let changed = SealedAddress::from_bytes(&changed).unwrap();
            assert!(changed.open(&keys(1), id).is_none(), "{at}");
        }
        assert!(
            SealedAddress::from_bytes(&[])
                .unwrap()
                .open(&keys(1), id)
                .is_none()
        );
        assert!(SealedAddress::seal(&keys(1), id, &"x".repeat(255)).is_none());
        assert!(!format!("{sealed:?}").contains("106"), "no bytes either");
    }
}
