//! Short names of rules, for where room is scarce.

/// Four characters that stand for a rule's id, so that a challenge needs little room to name some. Of a hundred rules,
/// two share a tag once in 3,400 files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleTag([u8; 4]);

impl RuleTag {
    /// The tag of a rule's id: 24 bits of its FNV-1a.
    pub fn of(id: &str) -> Self {
        const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Self([0, 6, 12, 18].map(|at| SIGNS[((hash >> at) & 63) as usize]))
    }

    /// Its four characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
