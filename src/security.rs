//! The log's lines on what an attacker may be about: failed logins, stolen tokens, guessed codes.
//!
//! They have a tracing target of their own, so that an operator can send them elsewhere or keep them longer. What was
//! tried is in them as a keyed digest: tries of one login can be told to belong together, and nobody can read whose it is.

/// The target of these lines.
pub const TARGET: &str = "ringback::security";
