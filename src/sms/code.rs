//! A code on its way into an SMS.

use std::fmt;

use zeroize::Zeroizing;

/// A code in clear on its way into an SMS: wiped when dropped, masked in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SmsCode(Zeroizing<String>);

impl SmsCode {
    /// Takes the digits.
    pub fn new(digits: impl Into<String>) -> Self {
        Self(Zeroizing::new(digits.into()))
    }

    /// The digits, for the SMS.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SmsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmsCode(•••)")
    }
}
