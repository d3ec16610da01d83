//! The one secret that operators keep, and the keys that are derived from it (HKDF, RFC 5869).
//!
//! Several secrets make a rotation: the first is used for whatever is new, all are tried for what exists.

use std::{collections::BTreeSet, fmt, hash::Hasher, sync::Arc};

use aws_lc_rs::{
    cmac,
    hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use siphasher::sip128::{Hasher128, SipHasher24};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a text is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    #[error("not base64")]
    NotBase64,
    #[error("shorter than 32 bytes")]
    TooShort,
    #[error("empty")]
    Empty,
}

/// A key with one purpose: for HMAC-SHA256, its schedule computed once, and for short names. Clones share it.
///
/// The HMAC is AWS-LC's, which is quick on processors without instructions for SHA as well.
#[derive(Clone)]
pub struct MacKey(Arc<Schedule>);

struct Schedule {
    mac: hmac::Key,
    /// Derived from the key, for [`MacKey::name`].
    naming: SipHasher24,
}

impl MacKey {
    fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        let mac = hmac::Key::new(HMAC_SHA256, key.as_slice());
        let derived: [u8; 32] = bytes_of(hmac::sign(&mac, b"name"));
        let naming = std::array::from_fn(|at| derived[at]);
        Self(Arc::new(Schedule {
            mac,
            naming: SipHasher24::new_with_key(&naming),
        }))
    }

    /// HMAC-SHA256 over `parts`, each preceded by its length, so that no two lists of parts read the same.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&self.0.mac);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        bytes_of(mac.sign())
    }

    /// HMAC-SHA256 over a message as it stands.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        bytes_of(hmac::sign(&self.0.mac, message))
    }

    /// Whether it has signed the message so.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0.mac, message, signature).is_ok()
    }

    /// What stands for `parts` where they are to be found again and not to be read: in the names of keys and counters.
    /// SipHash-2-4 of 128 bits, a keyed PRF that costs a tenth of HMAC. Each part is preceded by its length. Whoever lacks
    /// the key can neither tell what a name stands for nor make two that are the same. Nothing that proves anything may be made of it.
    pub fn name(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut hasher = self.0.naming;
        for part in parts {
            hasher.write(&(part.len() as u64).to_be_bytes());
            hasher.write(part);
        }
        hasher.finish128().as_bytes()
    }
}

/// A key for one-time codes: for AES-256-CMAC (NIST SP 800-38B, RFC 4493). Clones share it.
///
/// A quarter of HMAC-SHA256's instructions on a processor without any for SHA.
#[derive(Clone)]
pub struct CodeKey(Arc<cmac::Key>);

impl CodeKey {
    /// What most messages take with the lengths of their parts.
    const ROOM: usize = 64;

    fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        match cmac::Key::new(cmac::AES_256, key.as_slice()) {
            Ok(key) => Self(Arc::new(key)),
            Err(_) => unreachable!("32 bytes are a key of AES-256"),
        }
    }

    /// AES-256-CMAC over `parts`, each preceded by its length, so that no two lists of parts read the same.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        // In one piece: each that AWS-LC is given by itself costs as much as a block.
        let mut message = Zeroizing::new(Vec::with_capacity(Self::ROOM));
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        let mut tag = [0; 16];
        match cmac::sign_to_buffer(&self.0, &message, &mut tag) {
            Ok(_) => tag,
            Err(_) => unreachable!("AES takes every message, and a tag has 16 bytes"),
        }
    }
}

/// HMAC-SHA1, for a provider that signs with nothing newer. As a MAC it holds, though SHA-1 alone is broken.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    bytes_of(hmac::sign(
        &hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key),
        message,
    ))
}

/// HMAC-SHA256 under a key that another party has too, as it stands: for what that party checks.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    bytes_of(hmac::sign(&hmac::Key::new(HMAC_SHA256, key), message))
}

/// A tag, which is as long as its algorithm has it.
fn bytes_of<const N: usize>(tag: hmac::Tag) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// The keys derived from one secret.
#[derive(Clone)]
pub struct SecretKeys {
    /// Names the secret without telling it: 8 characters, kept beside what was made with it.
    pub id: String,
    /// Derives a code from its challenge.
    pub code: CodeKey,
    /// Digests a code, so that it can be judged where it isn't known.
    pub code_digest: CodeKey,
    /// Hides in a challenge's name where the challenge is kept.
    pub challenge_id: MacKey,
    /// Digests a phone number for keys of Redis and of limiters.
    pub phone: MacKey,
    /// Digests an e-mail address for the same.
    pub email: MacKey,
    /// Seals an address that no account has yet.
    pub sealed_address: MacKey,
    /// Digests what a login names, for keys of limiters.
    pub login: MacKey,
    /// Signs where a list goes on.
    pub cursor: MacKey,
    /// Signs challenges to a proof of work, and binds them to an address.
    pub work: MacKey,
    /// Signs the console's cookie and the tokens of its forms.
    pub console: MacKey,
    /// Authenticates refresh tokens.
    pub refresh: MacKey,
    /// Seeds the Ed25519 key that signs access tokens.
    pub signing_seed: Zeroizing<[u8; 32]>,
}

impl SecretKeys {
    fn derive(secret: &[u8]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(b"ringback/1"), secret);
        let expand = |purpose: &str| {
            let mut key = Zeroizing::new([0; 32]);
            match hkdf.expand(purpose.as_bytes(), key.as_mut_slice()) {
                Ok(()) => key,
                Err(_) => unreachable!("32 bytes are less than HKDF-SHA256's limit of 8160"),
            }
        };
        Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(&expand("id")[..6]),
            code: CodeKey::new(&expand("otp code")),
            code_digest: CodeKey::new(&expand("otp code digest")),
            challenge_id: MacKey::new(&expand("otp challenge id")),
            phone: MacKey::new(&expand("phone digest")),
            email: MacKey::new(&expand("email digest")),
            sealed_address: MacKey::new(&expand("sealed address")),
            login: MacKey::new(&expand("login digest")),
            cursor: MacKey::new(&expand("cursor")),
            work: MacKey::new(&expand("proof of work")),
            console: MacKey::new(&expand("console")),
            refresh: MacKey::new(&expand("refresh token")),
            signing_seed: expand("access token ed25519"),
        }
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKeys({})", self.id)
    }
}

/// All secrets in force, the one that signs first. Never empty.
#[derive(Debug, Clone)]
pub struct Keyring(Vec<SecretKeys>);

impl Keyring {
    /// Reads `RINGBACK_SECRET`: one or more secrets of 32 bytes or more, in base64, separated by commas.
    ///
    /// # Errors
    /// What is wrong with the first faulty secret.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let keys = text
            .split(',')
            .map(decode)
            .map(|secret| Ok(SecretKeys::derive(&secret?)));
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }

    /// The keys for whatever is new.
    pub fn current(&self) -> &SecretKeys {
        &self.0[0]
    }

    /// All keys, the current ones first.
    pub fn all(&self) -> &[SecretKeys] {
        &self.0
    }
}

/// One of the secrets of `RINGBACK_SECRET`.
fn decode(part: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let part = part.trim();
    if part.is_empty() {
        return Err(SecretError::Empty);
    }
    let secret = BASE64_STANDARD
        .decode(part)
        .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')))
        .map_err(|_| SecretError::NotBase64)?;
    match secret.len() {
        32.. => Ok(Zeroizing::new(secret)),
        _ => Err(SecretError::TooShort),
    }
}

/// Whether one of the secrets of `RINGBACK_SECRET` was not made at random: all zeros, a counter, a word that repeats.
/// Random bytes, or random letters and digits, look so less than once in a billion times.
pub fn is_guessable(text: &str) -> bool {
    text.split(',')
        .filter_map(|part| decode(part).ok())
        .any(|secret| {
            let different = |bytes: &mut dyn Iterator<Item = u8>| bytes.collect::<BTreeSet<_>>().len();
            let steps = &mut secret.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
            let repeats = |period: usize| {
                let pairs = secret.iter().zip(&secret[period..]);
                let same = pairs.filter(|(one, other)| one == other).count();
                same * 4 >= (secret.len() - period) * 3
            };
            different(&mut secret.iter().copied()) < 8 || different(steps) < 8 || (1..=16).any(repeats)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_32_bytes_of_base64_or_is_refused() {
        let good = BASE64_STANDARD.encode([7; 32]);
        assert!(Keyring::parse(&good).is_ok());
        assert_eq!(
            Keyring::parse(&BASE64_STANDARD.encode([7; 31])).unwrap_err(),
            SecretError::TooShort
        );
        assert_eq!(Keyring::parse("no base64!").unwrap_err(), SecretError::NotBase64);
        assert_eq!(
            Keyring::parse(&format!("{good},")).unwrap_err(),
            SecretError::Empty
        );
    }

    #[test]
    fn a_secret_that_was_not_made_at_random_is_told() {
        let random = "9NUgm2Hb0aVtUYOzuQsxK1gO8aOS2Vxm1d1EoYYb3Zk=";
        let hex = BASE64_STANDARD.encode("7d0e1f64a3b98c25e6d0417fa92c83b5");
        for good in [random, &hex] {
            assert!(!is_guessable(good), "{good}");
        }
        let counter: Vec<u8> = (0..32).collect();
        for bad in [
            vec![0; 32],
            counter,
            (0..64).map(|step| step * 3).collect(),
            b"changemechangemechangemechangeme!".to_vec(),
            b"passwordpasswordpasswordpassword".to_vec(),
            b"0123456789abcdef0123456789abcdef".to_vec(),
        ] {
            let bad = BASE64_STANDARD.encode(bad);
            assert!(
                is_guessable(&bad) && is_guessable(&format!("{random},{bad}")),
                "{bad}"
            );
        }
    }

    #[test]
    fn rotation_keeps_the_old_keys() {
        let (old, new) = (BASE64_STANDARD.encode([1; 32]), BASE64_STANDARD.encode([2; 32]));
        let before = Keyring::parse(&old).unwrap();
        let after = Keyring::parse(&format!("{new},{old}")).unwrap();
        assert_ne!(after.current().id, before.current().id);
        assert_eq!(after.all()[1].id, before.current().id);
    }

    /// RFC 2202, case 2.
    #[test]
    fn hmac_sha1_is_as_published() {
        let tag = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(BASE64_STANDARD.encode(tag), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    }

    /// RFC 4231, case 2.
    #[test]
    fn hmac_sha256_is_as_published() {
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            BASE64_STANDARD.encode(tag),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
    }

    /// NIST's "AES-CMAC Test Vectors" for SP 800-38B, AES-256, the second example; here without the length of a part.
    #[test]
    fn cmac_is_as_published() {
        let hex = |text: &str| u128::from_str_radix(text, 16).unwrap().to_be_bytes();
        let key = [
            hex("603deb1015ca71be2b73aef0857d7781"),
            hex("1f352c073b6108d72d9810a30914dff4"),
        ];
        let key = cmac::Key::new(cmac::AES_256, key.as_flattened()).unwrap();
        let tag = cmac::sign(&key, &hex("6bc1bee22e409f96e93d7e117393172a")).unwrap();
        assert_eq!(tag.as_ref(), hex("28a7023f452e8f82bd4bf28d8c37c35c"));
    }

    #[test]
    fn parts_of_a_tag_cannot_flow_into_one_another() {
        let key = MacKey::new(&Zeroizing::new([9; 32]));
        assert_ne!(key.tag(&[b"ab", b"c"]), key.tag(&[b"a", b"bc"]));
        assert_ne!(key.name(&[b"ab", b"c"]), key.name(&[b"a", b"bc"]));
        let codes = CodeKey::new(&Zeroizing::new([9; 32]));
        assert_ne!(codes.tag(&[b"ab", b"c"]), codes.tag(&[b"a", b"bc"]));
        let another = MacKey::new(&Zeroizing::new([8; 32]));
        assert_ne!(key.name(&[b"ab"]), another.name(&[b"ab"]));
    }
}
