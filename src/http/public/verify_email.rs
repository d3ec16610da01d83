//! Proving an e-mail address: asking for a code, entering it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::codes::{caller, example_sent, typed};
use super::sent::SentToEmail;
use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        docs::{Docs, EMAIL, HOUR, MINUTE, Tag, refusal},
        extract::{Faults, Field, JsonBody},
        language::language_for,
        problem::ApiError,
    },
};
use crate::{channel::Channel, email::EmailAddress, flows::FlowError, language::Language};

/// Where a code shall go.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SendEmailRequest {
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254, pattern = "{email}", example = "jane@example.com")]
    email: Field,
}

/// A code and the e-mail address that it came to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VerifyEmailRequest {
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254, pattern = "{email}", example = "jane@example.com")]
    email: Field,
    /// The digits of the e-mail, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
    /// What `send-email-otp` answered: then no other challenge is touched.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    challenge_id: Field,
}

/// The e-mail address is proven.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VerifiedEmail)]
pub struct VerifiedEmailView {
    #[schema(example = "The e-mail address is verified.")]
    detail: &'static str,
    #[schema(example = "jane@example.com")]
    email: String,
    #[schema(example = true)]
    email_verified: bool,
}

const DETAIL: &str = "If the e-mail address belongs to an account, a code is on its way.";

pub fn send_docs() -> Docs {
    Docs::new("send_email_otp", Tag::Emails, "Request a code by e-mail.")
        .text(
            "The answer is the same for every address; an e-mail goes out if an account has it and hasn't verified it. A \
             new code replaces the one before. With a bearer token the challenge is that user's alone: only that user \
             can answer it.\n\nThe e-mail is in the first language of `Accept-Language` that the service has a text in; \
             else in its own.",
        )
        .optional_bearer()
        .in_language()
        .body::<SendEmailRequest>(&["email"], &[("send", json!({ "email": EMAIL }))])
        .answers(
            200,
            "The code is on its way, if the address may have one.",
            &SentToEmail::new(DETAIL, EMAIL.to_owned(), &example_sent()),
        )
        .refuses([
            FlowError::Cooldown(refusal("otp-resend-cooldown", 1, MINUTE)),
            FlowError::MailNotConfigured,
        ])
        .limited("otp-send-per-email-day", 10, 48 * HOUR)
        .asks_for_work()
        .unavailable()
}

/// Sends a code to an e-mail address.
pub async fn send(
    api: web::Data<Api>,
    request: HttpRequest,
    bearer: MaybeBearer,
    body: JsonBody<SendEmailRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let email = faults.required("email", body.0.email, EmailAddress::parse);
    let email = email.ok_or_else(|| faults.into_error())?;
    let language = language_for(&api, &request, Channel::Email);
    let caller = caller(&api, &request, bearer, language);
    let shown = email.expose().to_owned();
    let sent = api.flows.verify_email.send(caller, email).await?;
    Ok(HttpResponse::Ok().json(SentToEmail::new(DETAIL, shown, &sent)))
}

pub fn verify_docs() -> Docs {
    Docs::new(
        "verify_email_otp",
        Tag::Emails,
        "Verify an e-mail address by its code.",
    )
    .text("Three codes are judged at most; after the third wrong one a new code has to be sent.")
    .optional_bearer()
    .body::<VerifyEmailRequest>(
        &["email", "otp"],
        &[("verify", json!({ "email": EMAIL, "otp": "123456" }))],
    )
    .answers(
        200,
        "The e-mail address is verified.",
        &VerifiedEmailView::of(EMAIL.to_owned()),
    )
    .judges_a_code()
    .refuses([FlowError::MailNotConfigured])
    .unavailable()
}

/// Judges a code: a right one verifies the e-mail address.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    bearer: MaybeBearer,
    body: JsonBody<VerifyEmailRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let VerifyEmailRequest {
        email,
        otp,
        challenge_id,
    } = body.0;
    let email = faults.required("email", email, EmailAddress::parse);
    let typed = typed(&api, &mut faults, otp, challenge_id);
    let (Some(email), Some(typed), true) = (email, typed, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let view = VerifiedEmailView::of(email.expose().to_owned());
    let caller = caller(&api, &request, bearer, Language::default());
    api.flows.verify_email.verify(caller, email, typed).await?;
    Ok(HttpResponse::Ok().json(view))
}

impl VerifiedEmailView {
    fn of(email: String) -> Self {
        Self {
            detail: "The e-mail address is verified.",
            email,
            email_verified: true,
        }
    }
}
