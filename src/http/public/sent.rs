//! A code is on its way: the answer, whatever the code is for. It is the same for every address, whether or not it gets one.

use actix_web::{HttpResponse, http::header::ContentType};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{accounts::Login, encoding::JsonObject, flows::Sent};

/// Room for most bodies.
const ROOM_FOR_BODY: usize = 256;

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

    /// The answer. Each code that a phone is asked for has one, so its body is written without serde.
    pub fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type(ContentType::json())
            .body(self.body())
    }

    fn body(&self) -> String {
        JsonObject::with_capacity(ROOM_FOR_BODY)
            .text("detail", self.detail)
            .text("phone", &self.phone)
            .id("challenge_id", self.challenge_id)
            .number("expires_in", self.expires_in)
            .number("resend_after", self.resend_after)
            .close()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_serde_makes_of_it() {
        let sent = SentToPhone {
            detail: "A code is on its way.",
            phone: "+14155552671".to_owned(),
            challenge_id: Uuid::from_u128(7),
            expires_in: 600,
            resend_after: 60,
        };
        assert_eq!(sent.body(), serde_json::to_string(&sent).unwrap());
    }
}
