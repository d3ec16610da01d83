//! The code itself: derived, never stored.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{destination::DestinationDigest, purpose::Purpose};
use crate::{
    delivery::CodeSeed,
    secrets::{MacKey, SecretKeys},
};

/// A one-time code in clear: it lives in the message and in the mind of whoever reads it, and here while it is judged.
#[derive(Clone, PartialEq, Eq)]
pub struct OtpCode(Zeroizing<String>);

impl OtpCode {
    /// Reads what a user typed: exactly `length` ASCII digits, spaces around them aside.
    ///
    /// Other scripts' digits are refused: no message has any.
    pub fn parse(text: &str, length: u8) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let fits = text.len() == usize::from(length) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The code of a challenge: `HMAC-SHA256(key, purpose ‖ challenge ‖ seed)` cut to `length` digits, as in RFC 4226
    /// section 5.3 but from 64 bits instead of 31, so that ten digits have no bias worth the name.
    ///
    /// The id goes to whoever asks; the seed is random, and only the record has it. So who learns the secret alone learns
    /// no code.
    pub fn derive(key: &MacKey, purpose: Purpose, challenge: Uuid, seed: CodeSeed, length: u8) -> Self {
        let tag = key.tag(&[&[purpose.byte()], challenge.as_bytes(), seed.as_bytes()]);
        let mut head = [0; 8];
        head.copy_from_slice(&tag[..8]);
        let number = u64::from_be_bytes(head) % 10_u64.pow(u32::from(length));
        Self(Zeroizing::new(format!(
            "{number:0width$}",
            width = usize::from(length)
        )))
    }

    /// The code in clear, for the message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OtpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpCode(•••)")
    }
}

/// What the store keeps in place of a code: a keyed digest over purpose, destination and code, 128 bits of it.
///
/// Without the key, trying all million codes against it tells nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeDigest([u8; 16]);

impl CodeDigest {
    /// The digest of a code for one purpose at one address.
    pub fn of(keys: &SecretKeys, purpose: Purpose, destination: &DestinationDigest, code: &OtpCode) -> Self {
        let tag = keys
            .code_digest
            .tag(&[&[purpose.byte()], destination.as_bytes(), code.0.as_bytes()]);
        let mut digest = [0; 16];
        digest.copy_from_slice(&tag[..16]);
        Self(digest)
    }

    /// A digest that no code has: what a decoy challenge keeps.
    pub fn unmatchable(random: [u8; 16]) -> Self {
        Self(random)
    }

    pub(super) fn from_stored(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigest(•••)")
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::{phone::PhoneDigest, secrets::Keyring};

    fn keys(byte: u8) -> SecretKeys {
        Keyring::parse(&BASE64_STANDARD.encode([byte; 32]))
            .unwrap()
            .current()
            .clone()
    }

    const SEED: CodeSeed = CodeSeed::from_bytes([5; 8]);

    #[test]
    fn a_code_belongs_to_its_purpose_challenge_seed_and_secret() {
        let code = |keys: &SecretKeys, purpose, challenge, seed| {
            OtpCode::derive(&keys.code, purpose, Uuid::from_u128(challenge), seed, 6)
        };
        let mine = code(&keys(1), Purpose::VerifyPhone, 7, SEED);
        assert_eq!(mine, code(&keys(1), Purpose::VerifyPhone, 7, SEED));
        assert_ne!(mine, code(&keys(2), Purpose::VerifyPhone, 7, SEED));
        assert_ne!(mine, code(&keys(1), Purpose::VerifyEmail, 7, SEED));
        assert_ne!(mine, code(&keys(1), Purpose::VerifyPhone, 8, SEED));
        assert_ne!(
            mine,
            code(&keys(1), Purpose::VerifyPhone, 7, CodeSeed::from_bytes([6; 8]))
        );
        assert_eq!(mine.expose().len(), 6);
    }

    #[test]
    fn a_digest_belongs_to_its_purpose_destination_code_and_secret() {
        let code = |text| OtpCode::parse(text, 6).unwrap();
        let at = |phone| DestinationDigest::from(PhoneDigest::from_bytes([phone; 16]));
        let digest =
            |secret, purpose, phone, text| CodeDigest::of(&keys(secret), purpose, &at(phone), &code(text));
        let mine = digest(1, Purpose::VerifyPhone, 7, "123456");
        assert_eq!(mine, digest(1, Purpose::VerifyPhone, 7, "123456"));
        assert_ne!(mine, digest(2, Purpose::VerifyPhone, 7, "123456"));
        assert_ne!(mine, digest(1, Purpose::VerifyEmail, 7, "123456"));
        assert_ne!(mine, digest(1, Purpose::VerifyPhone, 8, "123456"));
        assert_ne!(mine, digest(1, Purpose::VerifyPhone, 7, "123457"));
    }

    #[test]
    fn codes_of_every_length_spread_over_all_digits() {
        for length in 6..=10 {
            let mut seen = [0_u32; 10];
            for challenge in 0..2_000 {
                let challenge = Uuid::from_u128(challenge);
                let code = OtpCode::derive(&keys(1).code, Purpose::VerifyPhone, challenge, SEED, length);
                assert!(OtpCode::parse(code.expose(), length).is_some());
                seen[usize::from(code.expose().as_bytes()[0] - b'0')] += 1;
            }
            assert!(
                seen.iter().all(|&count| (120..300).contains(&count)),
                "{length}: {seen:?}"
            );
        }
    }

    #[test]
    fn only_ascii_digits_of_the_right_number_are_a_code() {
        for text in [
            "12345",
            "1234567",
            "12345a",
            "１２３４５６",
            "١٢٣٤٥٦",
            "",
            "-12345",
            "1234 6",
        ] {
            assert!(OtpCode::parse(text, 6).is_none(), "{text}");
        }
        assert!(OtpCode::parse(" 123456 ", 6).is_some());
    }
}
