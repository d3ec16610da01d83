//! The keyed digest of an e-mail address.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::EmailAddress;
use crate::{encoding::base64_url, secrets::MacKey};

/// A keyed digest of an e-mail address: what Redis keys and limiters hold in its place. All spellings of one address
/// have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EmailDigest([u8; 16]);

impl EmailDigest {
    /// The digest under the key that one secret gives.
    pub fn of(email: &EmailAddress, key: &MacKey) -> Self {
        Self(key.name(&[email.key().as_bytes()]))
    }

    /// Takes back a digest from its text form.
    pub fn decode(text: &str) -> Option<Self> {
        Some(Self(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// Its text form: 22 characters of base64url.
    pub fn encode(&self) -> String {
        base64_url(self.0)
    }

    /// Takes back a digest from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Which of `partitions` shares it belongs to.
    pub fn partition(&self, partitions: u8) -> u8 {
        self.0[0] % partitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        phone::{PhoneCheck, PhoneDigest, PhoneNumber},
        secrets::Keyring,
    };

    #[test]
    fn spellings_share_a_digest_and_phones_have_another_key() {
        let keyring = Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap();
        let keys = keyring.current();
        let digest = |text| EmailDigest::of(&EmailAddress::parse(text).unwrap(), &keys.email);
        assert_eq!(digest("Jane@Example.com"), digest("jane@example.com"));
        assert_ne!(digest("jane@example.com"), digest("john@example.com"));
        assert_eq!(
            EmailDigest::decode(&digest("jane@example.com").encode()),
            Some(digest("jane@example.com"))
        );
        let phone = PhoneNumber::parse("+14152000001", PhoneCheck::E164).unwrap();
        assert_ne!(
            PhoneDigest::of(&phone, &keys.phone).as_bytes(),
            PhoneDigest::of(&phone, &keys.email).as_bytes()
        );
    }
}
