//! How somebody proved who they are.

/// How somebody proved who they are when a session was opened: the `amr` of its access tokens, in the values of RFC 8176.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amr {
    Password,
    SmsCode,
    /// By e-mail. There is no value for that alone.
    EmailCode,
    /// The password, and a code as second proof: an administrator.
    PasswordAndSmsCode,
    PasswordAndEmailCode,
    /// Written by another version of the service: nothing is said of it, and nothing is granted for it.
    Unknown,
}

impl Amr {
    const ALL: [Self; 6] = [
        Self::Password,
        Self::SmsCode,
        Self::EmailCode,
        Self::PasswordAndSmsCode,
        Self::PasswordAndEmailCode,
        Self::Unknown,
    ];

    /// The values, as tokens have them.
    pub const fn values(self) -> &'static [&'static str] {
        match self {
            Self::Password => &["pwd"],
            Self::SmsCode => &["otp", "sms"],
            Self::EmailCode => &["otp"],
            Self::PasswordAndSmsCode => &["pwd", "otp", "sms"],
            Self::PasswordAndEmailCode => &["pwd", "otp"],
            Self::Unknown => &[],
        }
    }

    /// The values with spaces between, as databases have them.
    pub const fn stored(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::SmsCode => "otp sms",
            Self::EmailCode => "otp",
            Self::PasswordAndSmsCode => "pwd otp sms",
            Self::PasswordAndEmailCode => "pwd otp",
            Self::Unknown => "",
        }
    }

    /// From what [`Amr::stored`] gave.
    pub fn from_stored(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|amr| amr.stored() == text);
        known.unwrap_or(Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_are_the_values_and_comes_back() {
        for amr in Amr::ALL {
            assert_eq!(amr.values().join(" "), amr.stored());
            assert_eq!(Amr::from_stored(amr.stored()), amr);
        }
        assert_eq!(Amr::from_stored("pwd hwk"), Amr::Unknown);
    }
}
