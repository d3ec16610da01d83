//! What is wrong in a limits file, and where.

/// A file of hundreds of rules has some 50 KiB; what is larger than this is no limits file, and isn't read.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// One fault, where it is, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what is allowed.
    pub message: String,
}
