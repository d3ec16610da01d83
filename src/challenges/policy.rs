//! What holds for each purpose: one row each.

use super::purpose::Purpose;
use crate::channel::Channel;

/// What holds for a purpose.
#[derive(Debug)]
pub struct Policy {
    pub purpose: Purpose,
    /// The channels by which its codes may travel, and the name of its text in each.
    pub channels: &'static [(Channel, &'static str)],
    /// How a challenge is found when its code is typed.
    pub found: Found,
    /// Whether its codes go to addresses that no account has yet, so that they are kept with the message, sealed.
    pub unkept: bool,
}

/// How the challenges of a purpose are found when a code is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// By the address: the public one, and the user's own if a token comes along.
    ByAddress,
    /// By the address and the user's token: the user's own alone.
    ByUser,
    /// By their unguessable ids, whoever shows them. Several for one address live at a time, so that a stranger's
    /// request replaces nobody's.
    ById,
}

impl Policy {
    /// The name of its text for a channel; `None` where its codes don't travel by it.
    pub fn text(&self, channel: Channel) -> Option<&'static str> {
        let mut channels = self.channels.iter();
        channels.find_map(|&(its, text)| (its == channel).then_some(text))
    }
}

impl Purpose {
    /// What holds for it.
    pub fn policy(self) -> &'static Policy {
        &POLICIES[self as usize]
    }
}

/// In the order of [`Purpose::ALL`].
static POLICIES: [Policy; Purpose::ALL.len()] = [
    Policy {
        purpose: Purpose::VerifyPhone,
        channels: &[(Channel::Sms, "verify_phone")],
        found: Found::ByAddress,
        unkept: false,
    },
    Policy {
        purpose: Purpose::VerifyEmail,
        channels: &[(Channel::Email, "verify_email")],
        found: Found::ByAddress,
        unkept: false,
    },
    Policy {
        purpose: Purpose::SignIn,
        channels: &[(Channel::Sms, "sign_in_sms"), (Channel::Email, "sign_in_email")],
        found: Found::ById,
        unkept: false,
    },
    Policy {
        purpose: Purpose::ResetPassword,
        channels: &[
            (Channel::Sms, "reset_password_sms"),
            (Channel::Email, "reset_password_email"),
        ],
        found: Found::ById,
        unkept: false,
    },
    Policy {
        purpose: Purpose::ChangePhone,
        channels: &[(Channel::Sms, "change_phone")],
        found: Found::ByUser,
        unkept: true,
    },
    Policy {
        purpose: Purpose::ChangeEmail,
        channels: &[(Channel::Email, "change_email")],
        found: Found::ByUser,
        unkept: true,
    },
    Policy {
        purpose: Purpose::Register,
        channels: &[(Channel::Email, "register")],
        found: Found::ById,
        unkept: true,
    },
    Policy {
        purpose: Purpose::Administer,
        channels: &[
            (Channel::Sms, "administer_sms"),
            (Channel::Email, "administer_email"),
        ],
        found: Found::ByUser,
        unkept: false,
    },
];
