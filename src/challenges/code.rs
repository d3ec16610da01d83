//! The code itself: derived, never stored.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    phone::PhoneNumber,
    secrets::{MacKey, SecretKeys},
};

/// Sets this use of a code apart from others that may come.
const PURPOSE: &[u8] = b"verify phone";

/// A one-time code in clear: it lives in the SMS and in the mind of whoever reads it, and here while it is judged.
#[derive(Clone, PartialEq, Eq)]
pub struct OtpCode(Zeroizing<String>);

impl OtpCode {
    /// Reads what a user typed: exactly `length` ASCII digits, spaces around them aside.
    ///
    /// Other scripts' digits are refused: the SMS has none.
    pub fn parse(text: &str, length: u8) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let fits = text.len() == usize::from(length) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The code of a challenge: `HMAC-SHA256(key, challenge)` cut to `length` digits, as in RFC 4226 section 5.3 but
    /// from 64 bits instead of 31, so that ten digits have no bias worth the name.
    pub fn derive(key: &MacKey, challenge: Uuid, length: u8) -> Self {
        let tag = key.tag(&[PURPOSE, challenge.as_bytes()]);
        let mut head = [0; 8];
        head.copy_from_slice(&tag[..8]);
        let number = u64::from_be_bytes(head) % 10_u64.pow(u32::from(length));
        Self(Zeroizing::new(format!(
            "{number:0width$}",
            width = usize::from(length)
        )))
    }

    /// The code in clear, for the SMS.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OtpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpCode(•••)")
    }
}

/// What the store keeps in place of a code: a keyed digest over purpose, phone and code, 128 bits of it.
///
/// Without the key, trying all million codes against it tells nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeDigest([u8; 16]);

impl CodeDigest {
    /// The digest of a code for a phone.
    pub fn of(keys: &SecretKeys, phone: &PhoneNumber, code: &OtpCode) -> Self {
        let tag = keys
            .code_digest
            .tag(&[PURPOSE, phone.expose().as_bytes(), code.0.as_bytes()]);
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
    use crate::{phone::PhoneCheck, secrets::Keyring};

    fn keys(byte: u8) -> SecretKeys {
        Keyring::parse(&BASE64_STANDARD.encode([byte; 32]))
            .unwrap()
            .current()
            .clone()
    }

    #[test]
    fn a_code_belongs_to_its_challenge_and_secret() {
        let challenge = Uuid::from_u128(7);
        let code = OtpCode::derive(&keys(1).code, challenge, 6);
        assert_eq!(code, OtpCode::derive(&keys(1).code, challenge, 6));
        assert_ne!(code, OtpCode::derive(&keys(2).code, challenge, 6));
        assert_ne!(code, OtpCode::derive(&keys(1).code, Uuid::from_u128(8), 6));
        assert_eq!(code.expose().len(), 6);
    }

    #[test]
    fn codes_of_every_length_spread_over_all_digits() {
        for length in 6..=10 {
            let mut seen = [0_u32; 10];
            for challenge in 0..2_000 {
                let code = OtpCode::derive(&keys(1).code, Uuid::from_u128(challenge), length);
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

    #[test]
    fn a_digest_differs_by_phone_and_code() {
        let [one, two] =
            ["+14152000001", "+14152000002"].map(|text| PhoneNumber::parse(text, PhoneCheck::E164).unwrap());
        let [a, b] = ["123456", "123457"].map(|text| OtpCode::parse(text, 6).unwrap());
        let digest = CodeDigest::of(&keys(1), &one, &a);
        assert_eq!(digest, CodeDigest::of(&keys(1), &one, &a));
        assert_ne!(digest, CodeDigest::of(&keys(1), &two, &a));
        assert_ne!(digest, CodeDigest::of(&keys(1), &one, &b));
        assert_ne!(digest, CodeDigest::of(&keys(2), &one, &a));
    }
}
