//! What operators may say of accounts.

use chrono::TimeDelta;

/// How long an account keeps what it never proved.
#[derive(Debug, Clone, Copy)]
pub struct AccountOptions {
    /// How long an unproven claim of a phone is live: after that it keeps nobody from proving the phone without a token.
    pub claim_ttl: TimeDelta,
    /// After how long an account is deleted that never proved anything and wasn't used. None: never.
    pub unused_ttl: Option<TimeDelta>,
}
