//! What stands for a number where the number itself must not.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::PhoneNumber;
use crate::{encoding::base64_url, secrets::MacKey};

/// A keyed digest of a number: what Redis keys and limiters hold in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PhoneDigest([u8; 16]);

impl PhoneDigest {
    /// The digest under the key that one secret gives.
    pub fn of(phone: &PhoneNumber, key: &MacKey) -> Self {
        Self(key.name(&[phone.e164.as_bytes()]))
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
