//! Proving a phone: asking for a code, entering it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::codes::{caller, example_sent, typed};
use super::sent::SentToPhone;
use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        docs::{Docs, HOUR, MINUTE, PHONE, Tag, refusal},
        extract::{Faults, Field, JsonBody},
        language::language_for,
        problem::ApiError,
    },
};
use crate::{
    channel::Channel,
    flows::{FlowError, Unsupported},
    language::Language,
    phone::PhoneNumber,
};

/// Where a code shall go.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SendRequest {
    /// In international form, in digits of any script; spaces, punctuation and invisible marks are dropped, and where
    /// `phone.check` knows the country, a trunk prefix too.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{phone}", example = "+14155552671")]
    phone: Field,
}

/// A code and the phone that it came to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VerifyRequest {
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{phone}", example = "+14155552671")]
    phone: Field,
    /// The digits of the SMS, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
    /// What `send-phone-otp` answered: then no other challenge is touched.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    challenge_id: Field,
}

/// The phone is proven.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verified)]
pub struct VerifiedView {
    #[schema(example = "The phone is verified.")]
    detail: &'static str,
    #[schema(example = "+14155552671")]
    phone: String,
    #[schema(example = true)]
    phone_verified: bool,
}

const DETAIL: &str = "If the phone belongs to an account, a code is on its way.";

pub fn send_docs() -> Docs {
    Docs::new("send_phone_otp", Tag::Phones, "Request a code by SMS.")
        .text(
            "The answer is the same for every phone; an SMS goes out if an account claims it and none has it verified. A \
             new code replaces the one before. With a bearer token the challenge is that user's alone: only that user \
             can answer it; and what others ask for that phone spends nothing of its user's limits.\n\nThe SMS is in the first language of `Accept-Language` that the service has a text in; \
             else in its own.",
        )
        .optional_bearer()
        .in_language()
        .body::<SendRequest>(&["phone"], &[("send", json!({ "phone": PHONE }))])
        .answers(200, "The code is on its way, if the phone may have one.", &SentToPhone::new(DETAIL, PHONE.to_owned(), &example_sent()))
        .refuses([
            FlowError::PhoneNotSupported(Unsupported::Kind),
            FlowError::Cooldown(refusal("otp-resend-cooldown", 1, MINUTE)),
        ])
        .limited("otp-send-per-phone-day", 10, 48 * HOUR)
        .asks_for_work()
        .unavailable()
}

/// Sends a code to a phone.
pub async fn send(
    api: web::Data<Api>,
    request: HttpRequest,
    bearer: MaybeBearer,
    body: JsonBody<SendRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let phone = faults.required("phone", body.0.phone, |text| {
        PhoneNumber::parse(text, api.phone_check)
    });
    let phone = phone.ok_or_else(|| faults.into_error())?;
    let language = language_for(&api, &request, Channel::Sms);
    let caller = caller(&api, &request, bearer, language);
    let shown = phone.expose().to_owned();
    let sent = api.flows.verify_phone.send(caller, phone).await?;
    Ok(SentToPhone::new(DETAIL, shown, &sent).answer())
}

pub fn verify_docs() -> Docs {
    Docs::new("verify_phone_otp", Tag::Phones, "Verify a phone by its code.")
        .text(
            "Three codes are judged at most; after the third wrong one a new code has to be sent. Where several accounts \
             claim the phone, enter the code signed in.",
        )
        .optional_bearer()
        .body::<VerifyRequest>(
            &["phone", "otp"],
            &[("verify", json!({ "phone": PHONE, "otp": "123456" }))],
        )
        .answers(200, "The phone is verified.", &VerifiedView::of(PHONE.to_owned()))
        .judges_a_code()
        .refuses([FlowError::AmbiguousClaim, FlowError::PhoneTaken])
        .unavailable()
}

/// Judges a code: a right one verifies the phone.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    bearer: MaybeBearer,
    body: JsonBody<VerifyRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let VerifyRequest {
        phone,
        otp,
        challenge_id,
    } = body.0;
    let phone = faults.required("phone", phone, |text| PhoneNumber::parse(text, api.phone_check));
    let typed = typed(&api, &mut faults, otp, challenge_id);
    let (Some(phone), Some(typed), true) = (phone, typed, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let view = VerifiedView::of(phone.expose().to_owned());
    let caller = caller(&api, &request, bearer, Language::default());
    api.flows.verify_phone.verify(caller, phone, typed).await?;
    Ok(HttpResponse::Ok().json(view))
}

impl VerifiedView {
    fn of(phone: String) -> Self {
        Self {
            detail: "The phone is verified.",
            phone,
            phone_verified: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that a request may wait in: they are moved several times, and grow by all that a flow holds unless that is put on
    /// the heap at once.
    const ROOM: usize = 2048;

    fn future_of<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_a_request_waits_in_is_small() {
        for (name, bytes) in [("send", future_of(send)), ("verify", future_of(verify))] {
            assert!(bytes <= ROOM, "{name}: {bytes}");
        }
    }
}
