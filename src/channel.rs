//! The channels by which a message reaches somebody, and what their messages have in common.

use std::fmt;

use zeroize::Zeroizing;

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    Sms,
    Email,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 2] = [Self::Sms, Self::Email];

    /// Its name in answers, logs, metrics and the limits file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// A code in clear on its way into a message: wiped when dropped, masked in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageCode(Zeroizing<String>);

impl MessageCode {
    /// Takes the digits.
    pub fn new(digits: impl Into<String>) -> Self {
        Self(Zeroizing::new(digits.into()))
    }

    /// The digits, for the message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageCode(•••)")
    }
}

/// The text of a message. It holds a code, so `Debug` shows no more than its length.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageText(String);

impl MessageText {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text in clear, for the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText(•••, {} characters)", self.0.chars().count())
    }
}
