//! What operators may say of accounts: how they come to be, and what they keep.

use chrono::TimeDelta;

/// How long an account keeps what it never proved.
#[derive(Debug, Clone, Copy)]
pub struct AccountOptions {
    /// How long an unproven claim of a phone is live: after that it keeps nobody from proving the phone without a token.
    pub claim_ttl: TimeDelta,
    /// After how long an account is erased that never proved anything and that nobody used; zero for never.
    pub unused_ttl: TimeDelta,
    pub register_code: RegisterCode,
}

/// Whether an account is made with a code that proves its e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterCode {
    /// With one or without.
    Optional,
    /// With one alone: that an address has an account is said to nobody.
    Required,
}
