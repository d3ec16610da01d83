//! What holds for each purpose: one row each.

use super::purpose::Purpose;
use crate::channel::Channel;

/// What holds for a purpose.
#[derive(Debug)]
pub struct Policy {
    pub purpose: Purpose,
    /// The channels by which its codes may travel.
    pub channels: &'static [Channel],
    /// The name of its text, in each of these channels.
    pub text: &'static str,
    /// Whether a code that was asked for without a token is judged. What was asked for with a token is that user's alone,
    /// for every purpose.
    pub public: bool,
}

/// In the order of [`Purpose::ALL`].
pub(super) static POLICIES: [Policy; Purpose::ALL.len()] = [
    Policy {
        purpose: Purpose::VerifyPhone,
        channels: &[Channel::Sms],
        text: "verify_phone",
        public: true,
    },
    Policy {
        purpose: Purpose::VerifyEmail,
        channels: &[Channel::Email],
        text: "verify_email",
        public: true,
    },
];
