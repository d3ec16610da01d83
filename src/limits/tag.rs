//! Short names of rules, for where room is scarce.

use std::hash::Hasher;

use fnv::FnvHasher;

/// Four characters that stand for a rule's id, so that counters and challenges need little room to name some. Of a hundred rules,
/// two share a tag once in 3,400 files; such a file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleTag([u8; 4]);

impl RuleTag {
    /// The tag of a rule's id, alike in every instance: 24 bits of its hash.
    pub fn of(id: &str) -> Self {
        const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut hasher = FnvHasher::default();
        hasher.write(id.as_bytes());
        let hash = hasher.finish();
        Self([0, 6, 12, 18].map(|at| CHARACTERS[((hash >> at) & 63) as usize]))
    }

    /// Its four characters, as bytes.
    pub fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// Its four characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
