//! Signing in by code: asking for one, entering it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    codes::{caller, either, example_sent, no_address, typed_by_id},
    sent::{SentToEither, SentToEmail},
    sessions::SignedInView,
};
use crate::flows::{FlowError, Unsupported};
use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        client::client_info,
        docs::{CHALLENGE_ID, Docs, EMAIL, HOUR, MINUTE, PHONE, Tag, refusal},
        extract::{Faults, Field, JsonBody},
        language::language_for,
        problem::ApiError,
    },
};

/// Where a code shall go.
#[derive(Debug, Deserialize)]
pub struct CodeRequest {
    #[serde(default)]
    pub email: Field,
    #[serde(default)]
    pub phone: Field,
}

/// Either of the two, never both.
#[derive(ToSchema)]
#[schema(as = CodeRequest)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes JSON that is read elsewhere")]
pub enum EitherAddress {
    Email(ToEmail),
    Phone(ToPhone),
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes JSON that is read elsewhere")]
pub struct ToEmail {
    #[schema(pattern = "{email}", max_length = 254, example = "jane@example.com")]
    email: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes JSON that is read elsewhere")]
pub struct ToPhone {
    #[schema(pattern = "{phone}", example = "+14155552671")]
    phone: String,
}

/// A code and its challenge.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SignInRequest {
    /// What the request for the code answered.
    #[serde(default)]
    #[schema(value_type = Uuid, required)]
    challenge_id: Field,
    /// The digits of the message, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
}

const DETAIL: &str = "If this address signs in to an account, a code is on its way.";

pub fn send_docs() -> Docs {
    Docs::new("login_code", Tag::Sessions, "Request a code to sign in by.")
        .text(
            "The answer is the same for every address. A message goes out if a code for the address was typed with the \
             account's own token before, or at its registration: a proof without a token opens nothing. A phone that was \
             not proven for `phone.reproof_after` doesn't sign in where an e-mail address is proven as well. Up to three \
             codes for one address are good at a time.\n\nThe message is in the first language of `Accept-Language` that \
             the service has a text in; else in its own.",
        )
        .body::<EitherAddress>(
            &[],
            &[
                ("by e-mail", json!({ "email": EMAIL })),
                ("by SMS", json!({ "phone": PHONE })),
            ],
        )
        .answers(
            200,
            "The code is on its way, if the address may have one.",
            &SentToEither::Email(SentToEmail::new(DETAIL, EMAIL.to_owned(), &example_sent())),
        )
        .refuses([no_address()])
        .refuses([
            FlowError::PhoneNotSupported(Unsupported::Kind),
            FlowError::Cooldown(refusal("otp-resend-cooldown", 1, MINUTE)),
            FlowError::MailNotConfigured,
        ])
        .limited("otp-send-per-email-day", 10, 48 * HOUR)
        .in_language()
        .asks_for_work()
        .unavailable()
}

/// Sends a code to sign in by.
pub async fn send(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<CodeRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let CodeRequest { email, phone } = body.0;
    let address = either(&api, &mut faults, email, phone).ok_or_else(|| faults.into_error())?;
    let language = language_for(&api, &request, address.channel());
    let caller = caller(&api, &request, MaybeBearer(None), language);
    let sent = api.flows.sign_in_by_code.send(caller, address.clone()).await?;
    Ok(HttpResponse::Ok().json(SentToEither::new(DETAIL, &address, &sent)))
}

pub fn verify_docs() -> Docs {
    Docs::new("login_code_verify", Tag::Sessions, "Sign in by a code.")
        .text("Three codes are judged at most; after the third wrong one a new code has to be sent.")
        .body::<SignInRequest>(
            &["challenge_id", "otp"],
            &[("verify", json!({ "challenge_id": CHALLENGE_ID, "otp": "123456" }))],
        )
        .answers(200, "The account and its tokens.", &SignedInView::example())
        .judges_a_code()
        .unavailable()
}

/// Judges a code: a right one opens a session.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<SignInRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let SignInRequest { challenge_id, otp } = body.0;
    let typed = typed_by_id(&api, &mut faults, otp, challenge_id).ok_or_else(|| faults.into_error())?;
    let who = client_info(&api, &request);
    let (user, tokens) = api.flows.sign_in_by_code.verify(who, typed).await?;
    Ok(HttpResponse::Ok().json(SignedInView {
        user: user.into(),
        tokens: tokens.into(),
    }))
}
