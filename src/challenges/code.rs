//! The code itself: derived, never stored.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::{destination::DestinationDigest, purpose::Purpose};
use crate::{
    delivery::CodeSeed,
    partition::SlotAddress,
    secrets::{CodeKey, SecretKeys},
    unicode::{digit, is_dash, is_invisible},
};

/// Ten digits of four bytes each, and as much again between any two of them.
const MAX_INPUT_BYTES: usize = 128;

/// A one-time code in clear: it lives in the message and in the mind of whoever reads it, and here while it is judged.
#[derive(Clone, PartialEq, Eq)]
pub struct OtpCode(Zeroizing<String>);

impl OtpCode {
    /// Reads what a user typed: exactly `length` digits of any script, spaces and marks that nobody sees anywhere, and
    /// dashes between the digits (`123-456`) passed over.
    pub fn parse(text: &str, length: u8) -> Option<Self> {
        // Nobody groups digits with more: what is longer is not read.
        if text.len() > MAX_INPUT_BYTES {
            return None;
        }
        let blank = |character: char| character.is_whitespace() || is_invisible(character);
        let text = text.trim_matches(blank);
        let ends_in_digits = |ends: Option<char>| ends.and_then(digit).is_some();
        if !ends_in_digits(text.chars().next()) || !ends_in_digits(text.chars().next_back()) {
            return None;
        }
        let mut code = Zeroizing::new(String::with_capacity(usize::from(length)));
        for character in text
            .chars()
            .filter(|&character| !blank(character) && !is_dash(character))
        {
            // Never more than there is room for: a string that grows leaves pieces of the secret behind.
            if code.len() == usize::from(length) {
                return None;
            }
            code.push(char::from(b'0' + digit(character)?));
        }
        (code.len() == usize::from(length)).then_some(Self(code))
    }

    /// The code of a challenge: `MAC(key, purpose ‖ challenge ‖ seed)` cut to `length` digits, as in RFC 4226
    /// section 5.3 but from 64 bits instead of 31, so that ten digits have no bias worth the name.
    ///
    /// The id goes to whoever asks; the seed is random, and only the record has it. So who learns the secret alone learns
    /// no code.
    pub fn derive(key: &CodeKey, purpose: Purpose, challenge: Uuid, seed: CodeSeed, length: u8) -> Self {
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

/// What the store keeps in place of a code: a keyed digest over purpose, destination and code.
///
/// Without the key, trying all million codes against it tells nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeDigest([u8; 16]);

impl CodeDigest {
    /// The digest of a code for one purpose at one address.
    pub fn of(keys: &SecretKeys, purpose: Purpose, destination: &DestinationDigest, code: &OtpCode) -> Self {
        Self::over(keys, purpose, destination.as_bytes(), code)
    }

    /// The digest of a code for one purpose in one slot, where a challenge is found by its id: that leads to the slot, and to
    /// nothing that tells the address.
    pub fn at(keys: &SecretKeys, purpose: Purpose, slot: SlotAddress, code: &OtpCode) -> Self {
        Self::over(keys, purpose, &slot.bits().to_be_bytes(), code)
    }

    fn over(keys: &SecretKeys, purpose: Purpose, place: &[u8], code: &OtpCode) -> Self {
        Self(
            keys.code_digest
                .tag(&[&[purpose.byte()], place, code.0.as_bytes()]),
        )
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
        let by_id =
            |slot, purpose| CodeDigest::at(&keys(1), purpose, SlotAddress::from_bits(slot), &code("123456"));
        let mine = by_id(7, Purpose::SignIn);
        assert_ne!(mine, by_id(8, Purpose::SignIn));
        assert_ne!(mine, by_id(7, Purpose::ResetPassword));
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
    fn a_code_is_the_same_however_it_is_typed() {
        for text in [
            "123456",
            " 123456\n",
            "123 456",
            "123-456",
            "12 34 56",
            "1 2 3 4 5 6",
            "123 - 456",
            "123\u{A0}456",
            "123\u{2009}456",
            "123\u{2011}456",
            "123–456",
            "123－456",
            "\u{200B}123\u{2060}456\u{FEFF}",
            "\u{202A}123456\u{202C}",
            "１２３４５６",
            "１２３　４５６",
            "١٢٣٤٥٦",
            "۱۲۳ ۴۵۶",
            "१२३४५६",
            "๑๒๓๔๕๖",
            "১২৩-৪৫৬",
            "１２３ー４５６",
            "𝟏𝟐𝟑𝟒𝟓𝟔",
        ] {
            let code = OtpCode::parse(text, 6);
            assert_eq!(code.as_ref().map(OtpCode::expose), Some("123456"), "{text}");
        }
    }

    #[test]
    fn what_has_other_characters_or_another_number_of_digits_is_no_code() {
        for text in [
            "12345",
            "1234567",
            "123 4567",
            "12345a",
            "G-123456",
            "123.456",
            "123,456",
            "123/456",
            "123_456",
            "+123456",
            "-123456",
            "123456-",
            "",
            " ",
            "------",
            "-12345",
            "1234 6",
            "①②③④⑤⑥",
            "一二三四五六",
            "١٢٣٤٥",
            &format!("123{}456", " ".repeat(1000)),
        ] {
            assert!(OtpCode::parse(text, 6).is_none(), "{text}");
        }
    }
}
