//! The sections about codes and the phones they prove: `otp`, `phone`.

use std::time::Duration;

use super::{MINUTE, SECOND, reader::Reader};
use crate::phone::PhoneCheck;

/// The rules of a code.
#[derive(Debug, Clone)]
pub struct OtpSettings {
    /// How long a code is good for.
    pub ttl: Duration,
    /// Codes that are judged for one challenge.
    pub max_attempts: u8,
    /// Digits of a code.
    pub length: u8,
    /// Time between two codes for one phone; never longer than `ttl`.
    pub resend_cooldown: Duration,
    /// Wrong codes, over all challenges of a phone within `failure_window`, after which none is judged or sent.
    pub max_failures: u32,
    /// For how long wrong codes are remembered.
    pub failure_window: Duration,
    /// Whether a code that was asked for without a token is judged only with its `challenge_id`.
    pub require_challenge_id: bool,
}

impl OtpSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        const COOLDOWN: &str = "otp.resend_cooldown";
        let ttl = reader.duration("otp.ttl", SECOND..=60 * MINUTE);
        let max_attempts = reader.integer("otp.max_attempts", 1..=10);
        let length = reader.integer("otp.length", 6..=10);
        let cooldown = reader.duration(COOLDOWN, Duration::ZERO..=60 * MINUTE);
        Self {
            ttl,
            max_attempts,
            length,
            // Longer, and whoever let his code expire could not have another.
            resend_cooldown: reader.at_most(COOLDOWN, cooldown, "otp.ttl", ttl),
            max_failures: reader.integer("otp.max_failures", 1..=1000),
            failure_window: reader.duration("otp.failure_window", SECOND..=24 * 60 * MINUTE),
            require_challenge_id: reader.flag("otp.require_challenge_id"),
        }
    }
}

/// What a phone number has to be.
#[derive(Debug, Clone)]
pub struct PhoneSettings {
    /// How closely numbers are looked at.
    pub check: PhoneCheck,
}

impl PhoneSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let choices = [
            ("e164", PhoneCheck::E164),
            ("possible", PhoneCheck::Possible),
            ("valid", PhoneCheck::Valid),
        ];
        Self {
            check: reader.choice("phone.check", &choices),
        }
    }
}
