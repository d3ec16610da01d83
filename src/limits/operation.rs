//! What clients ask for.

use super::key::KeyDimension;

/// What a client asks for: the value of `on` in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Register,
    Login,
    OtpSend,
    OtpVerify,
    OtpStatus,
    TokenRefresh,
    PasswordChange,
    Me,
    /// What administrators ask for.
    Admin,
    /// A message without a code that tells an owner of a change. No client asks for it: `any` has not it.
    Notice,
    /// What else comes: a request whose token is refused, the pages of documentation.
    Other,
}

impl Operation {
    /// Every operation, in the order of the contract.
    pub const ALL: [Self; 11] = [
        Self::Register,
        Self::Login,
        Self::OtpSend,
        Self::OtpVerify,
        Self::OtpStatus,
        Self::TokenRefresh,
        Self::PasswordChange,
        Self::Me,
        Self::Admin,
        Self::Notice,
        Self::Other,
    ];

    /// Its name in rules, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::OtpSend => "otp.send",
            Self::OtpVerify => "otp.verify",
            Self::OtpStatus => "otp.status",
            Self::TokenRefresh => "token.refresh",
            Self::PasswordChange => "password.change",
            Self::Me => "me",
            Self::Admin => "admin",
            Self::Notice => "notice",
            Self::Other => "other",
        }
    }

    /// Whether a request that can't be counted is refused: so it is wherever guessing or sending costs someone
    /// something. `me`, `admin` and `token.refresh` prove themselves by a token, and go on when Redis is down (promise 6);
    /// `otp.status` changes nothing.
    pub const fn is_strict(self) -> bool {
        !matches!(
            self,
            Self::OtpStatus | Self::TokenRefresh | Self::Me | Self::Admin | Self::Other
        )
    }

    /// Whether requests of this kind can ever carry what `by` counts; sign-up, login and codes name a phone.
    pub const fn can_be_counted(self, by: KeyDimension) -> bool {
        match by {
            KeyDimension::Global => true,
            KeyDimension::Ip | KeyDimension::IpNetwork(_) | KeyDimension::Network => {
                !matches!(self, Self::Notice)
            }
            KeyDimension::Email => matches!(self, Self::Register | Self::OtpSend | Self::OtpVerify),
            KeyDimension::Phone | KeyDimension::Country | KeyDimension::Prefix(_) => matches!(
                self,
                Self::Register | Self::Login | Self::OtpSend | Self::OtpVerify | Self::Notice
            ),
            // A refresh token is opaque until the store has read it, so its user isn't known in time.
            KeyDimension::User => matches!(
                self,
                Self::Login
                    | Self::OtpSend
                    | Self::OtpVerify
                    | Self::PasswordChange
                    | Self::Me
                    | Self::Admin
                    | Self::Notice
            ),
        }
    }

    /// Whether it is about a message, which goes by one channel: only there a rule can name one.
    pub const fn has_channel(self) -> bool {
        matches!(self, Self::OtpSend | Self::OtpVerify | Self::Notice)
    }

    /// Whether cluster rules can be counted by the script that does the work itself.
    pub(super) const fn attaches_counters(self) -> bool {
        matches!(self, Self::OtpSend | Self::OtpVerify)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_the_index_of_its_rules() {
        assert!(
            Operation::ALL
                .iter()
                .enumerate()
                .all(|(index, &operation)| operation as usize == index)
        );
    }
}
