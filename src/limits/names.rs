//! The texts that stand for what counters are named by, where it must not stand in clear.

use std::fmt;

use crate::{
    encoding::{base64_url, push_base64_url},
    secrets::MacKey,
};

/// A prefix up to this length names a country and a block, nobody's number, and is kept in clear; a longer one is
/// kept as a keyed digest.
const CLEAR_PREFIX: u8 = 6;

/// What a login names (an e-mail address or a phone), as a keyed digest. Whether an account has it makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginDigest([u8; 16]);

impl LoginDigest {
    /// The digest of a login in its one spelling; `kind` keeps addresses and phones apart.
    pub fn of(kind: &str, login: &str, key: &MacKey) -> Self {
        let mut digest = [0; 16];
        digest.copy_from_slice(&key.tag(&[kind.as_bytes(), login.as_bytes()])[..16]);
        Self(digest)
    }
}

impl fmt::Display for LoginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text that stands for what a login names.
pub(super) fn key_of_login(LoginDigest(digest): LoginDigest) -> String {
    base64_url(digest)
}

/// Whether so many first digits may stand in a log and in Redis as they are.
pub(super) fn is_clear(digits: usize) -> bool {
    digits <= usize::from(CLEAR_PREFIX)
}

/// Adds the text that stands for a number's first `digits` digits.
pub(super) fn push_prefix(text: &mut String, prefix: &str, digits: u8, key: &MacKey) {
    match digits <= CLEAR_PREFIX {
        true => text.push_str(prefix),
        false => push_base64_url(text, key.name(&[b"prefix", &[digits], prefix.as_bytes()])),
    }
}
