//! What a code is for.

use crate::channel::Channel;

/// What a code is for. A code for one purpose is good for no other: the purpose is part of where a challenge is kept, of
/// its code, and of what the code is compared with.
///
/// A further purpose is one variant here, its byte and name, and one row in `policy.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// To prove a phone that an account claims.
    VerifyPhone,
    /// To prove the e-mail address of an account.
    VerifyEmail,
    /// To sign in to an account whose phone or e-mail address it is.
    SignIn,
    /// To set the password of such an account anew.
    ResetPassword,
    /// To make a phone that of the signed-in user.
    ChangePhone,
    /// To make an e-mail address that of the signed-in user.
    ChangeEmail,
    /// To make an account with a proven e-mail address.
    Register,
    /// To administer: the second proof of an administrator.
    Administer,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 8] = [
        Self::VerifyPhone,
        Self::VerifyEmail,
        Self::SignIn,
        Self::ResetPassword,
        Self::ChangePhone,
        Self::ChangeEmail,
        Self::Register,
        Self::Administer,
    ];

    /// Its number in records and messages that wait. It never changes, and none is used twice.
    pub const fn byte(self) -> u8 {
        match self {
            Self::VerifyPhone => 1,
            Self::VerifyEmail => 2,
            Self::SignIn => 3,
            Self::ResetPassword => 4,
            Self::ChangePhone => 5,
            Self::ChangeEmail => 6,
            Self::Register => 7,
            Self::Administer => 8,
        }
    }

    /// Takes back what [`Purpose::byte`] gave.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.byte() == byte)
    }

    /// Its name in the ledger, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VerifyPhone => "verify_phone",
            Self::VerifyEmail => "verify_email",
            Self::SignIn => "sign_in",
            Self::ResetPassword => "reset_password",
            Self::ChangePhone => "change_phone",
            Self::ChangeEmail => "change_email",
            Self::Register => "register",
            Self::Administer => "administer",
        }
    }

    /// The purpose that proves addresses of a channel. The cooldown of an address is kept with its challenges.
    pub const fn verifying(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::VerifyPhone,
            Channel::Email => Self::VerifyEmail,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_purpose_has_a_byte_a_name_and_a_row_of_its_own() {
        let bytes: HashSet<_> = Purpose::ALL.iter().map(|purpose| purpose.byte()).collect();
        let names: HashSet<_> = Purpose::ALL.iter().map(|purpose| purpose.name()).collect();
        assert_eq!(
            (bytes.len(), names.len()),
            (Purpose::ALL.len(), Purpose::ALL.len())
        );
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_byte(purpose.byte()), Some(purpose));
            assert_eq!(purpose.policy().purpose, purpose);
        }
        assert_eq!(Purpose::from_byte(0), None);
    }

    #[test]
    fn the_purpose_that_proves_a_channel_takes_its_addresses() {
        for channel in Channel::ALL {
            assert!(Purpose::verifying(channel).policy().text(channel).is_some());
        }
    }
}
