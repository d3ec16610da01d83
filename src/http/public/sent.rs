//! A code is on its way: the answer, whatever the code is for. It is the same for every address, whether or not it gets one.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{accounts::Login, flows::Sent};

/// A code is on its way to a phone, if it may have one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sent)]
pub struct SentToPhone {
    #[schema(example = "If the phone belongs to an account, a code is on its way.")]
    detail: &'static str,
    /// As it was sent, in its one spelling.
    #[schema(example = "+14155552671")]
    phone: String,
    challenge_id: Uuid,
    /// Seconds for which the code is good.
    #[schema(example = 600)]
    expires_in: u64,
    /// Seconds until another code may be sent to this phone.
    #[schema(example = 60)]
    resend_after: u64,
}

/// A code is on its way to an e-mail address, if it may have one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SentEmail)]
pub struct SentToEmail {
    #[schema(example = "If the e-mail address belongs to an account, a code is on its way.")]
    detail: &'static str,
    /// As it was sent.
    #[schema(example = "jane@example.com")]
    email: String,
    challenge_id: Uuid,
    /// Seconds for which the code is good.
    #[schema(example = 600)]
    expires_in: u64,
    /// Seconds until another code may be sent to this address.
    #[schema(example = 60)]
    resend_after: u64,
}

/// A code is on its way, by the channel that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SentToEither {
    Email(SentToEmail),
    Phone(SentToPhone),
}

/// A code is on its way, if the address may have one. To what address is not said again.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentCode {
    #[schema(example = "If this address belongs to an account, a code is on its way.")]
    detail: &'static str,
    /// To be sent along with the code.
    challenge_id: Uuid,
    /// Seconds for which the code is good.
    #[schema(example = 600)]
    expires_in: u64,
    /// Seconds until another code may be sent to this address.
    #[schema(example = 60)]
    resend_after: u64,
}

impl SentToPhone {
    pub fn new(detail: &'static str, phone: String, sent: &Sent) -> Self {
        Self {
            detail,
            phone,
            challenge_id: sent.challenge_id,
            expires_in: sent.expires_in.as_secs(),
            resend_after: sent.resend_after.as_secs(),
        }
    }
}

impl SentToEmail {
    pub fn new(detail: &'static str, email: String, sent: &Sent) -> Self {
        Self {
            detail,
            email,
            challenge_id: sent.challenge_id,
            expires_in: sent.expires_in.as_secs(),
            resend_after: sent.resend_after.as_secs(),
        }
    }
}

impl SentToEither {
    /// To the address that a code was asked for.
    pub fn new(detail: &'static str, address: &Login, sent: &Sent) -> Self {
        match address {
            Login::Email(email) => Self::Email(SentToEmail::new(detail, email.expose().to_owned(), sent)),
            Login::Phone(phone) => Self::Phone(SentToPhone::new(detail, phone.expose().to_owned(), sent)),
        }
    }
}

impl SentCode {
    pub fn new(detail: &'static str, sent: &Sent) -> Self {
        Self {
            detail,
            challenge_id: sent.challenge_id,
            expires_in: sent.expires_in.as_secs(),
            resend_after: sent.resend_after.as_secs(),
        }
    }
}
