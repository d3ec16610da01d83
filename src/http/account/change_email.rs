//! Changing one's e-mail address: asking for a code at the new one, entering it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    change::{changer, presented},
    me::UserView,
};
use crate::{
    accounts::AccountError,
    channel::Channel,
    email::EmailAddress,
    flows::FlowError,
    http::{
        api::Api,
        kit::{
            auth::current,
            docs::{Docs, EMAIL, MINUTE, Tag, refusal},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
        },
        public::{
            codes::{example_sent, typed},
            sent::SentToEmail,
        },
    },
};

/// The new address, and who changes it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChangeEmailRequest {
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254, pattern = "{email}", example = "jane@example.com")]
    email: Field,
    /// The account's password. Null where it has none: a sign-in by code in the last ten minutes stands in for it.
    #[serde(default)]
    #[schema(value_type = Option<String>, required, max_length = 128, example = "securepass123")]
    password: Field,
}

/// A code and the new address that it came to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VerifyNewEmailRequest {
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254, pattern = "{email}", example = "jane@example.com")]
    email: Field,
    /// The digits of the e-mail, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
    /// What `email/change` answered: then no other challenge is touched.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    challenge_id: Field,
}

const DETAIL: &str =
    "If the address can be yours, a code is on its way. Until it is entered, the old one stays in force.";

pub fn change_docs() -> Docs {
    Docs::new("change_email", Tag::Emails, "Request a code to change the e-mail address.")
        .text(
            "Until its code is entered, the old address stays in force. The answer is the same for every address; no e-mail \
             goes to one that another account has verified. A wrong password counts under `password.change`.",
        )
        .bearer()
        .body::<ChangeEmailRequest>(
            &["email", "password"],
            &[("change", json!({ "email": EMAIL, "password": "securepass123" }))],
        )
        .answers(
            200,
            "The code is on its way, if the address may have one.",
            &SentToEmail::new(DETAIL, EMAIL.to_owned(), &example_sent()),
        )
        .refuses([AccountError::PasswordIncorrect])
        .refuses([
            FlowError::Cooldown(refusal("otp-resend-cooldown", 1, MINUTE)),
            FlowError::MailNotConfigured,
        ])
        .limited("password-guess-minute", 5, MINUTE)
        .in_language()
        .asks_for_work()
        .unavailable()
}

/// Sends a code to the new address.
pub async fn change(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<ChangeEmailRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let ChangeEmailRequest { email, password } = body.read().await?;
    let mut faults = Faults::default();
    let email = faults.required("email", email, EmailAddress::parse);
    let password = presented(&mut faults, "password", password);
    let (Some(email), Some(password)) = (email, password) else {
        return Err(faults.into_error());
    };
    let shown = email.expose().to_owned();
    let changer = changer(&api, &request, signed_in, Channel::Email);
    let sent = api.flows.change_email.send(changer, email, password).await?;
    Ok(HttpResponse::Ok().json(SentToEmail::new(DETAIL, shown, &sent)))
}

pub fn verify_docs() -> Docs {
    Docs::new(
        "verify_new_email",
        Tag::Emails,
        "Change the e-mail address by the code that came to it.",
    )
    .text(
        "Three codes are judged at most. Whoever had the old address proven is told. An account that had the new one and \
         never verified it loses it. Once the address has changed, no other pending change of it is good.",
    )
    .bearer()
    .in_language()
    .body::<VerifyNewEmailRequest>(
        &["email", "otp"],
        &[("verify", json!({ "email": EMAIL, "otp": "123456" }))],
    )
    .answers(200, "The account with its new address.", &UserView::example())
    .judges_a_code()
        .refuses([FlowError::MailNotConfigured])
    .unavailable()
}

/// Judges a code: a right one changes the address.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<VerifyNewEmailRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let VerifyNewEmailRequest {
        email,
        otp,
        challenge_id,
    } = body.read().await?;
    let mut faults = Faults::default();
    let email = faults.required("email", email, EmailAddress::parse);
    let typed = typed(&api, &mut faults, otp, challenge_id);
    let (Some(email), Some(typed), true) = (email, typed, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let changer = changer(&api, &request, signed_in, Channel::Email);
    let user = api.flows.change_email.verify(changer, email, typed).await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}
