//! A forgotten password: asking for a code, setting a new password by it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::sent::SentCode;
use super::{
    codes::{caller, either, example_sent, no_address, typed_by_id},
    new_password,
    sign_in_by_code::{CodeRequest, EitherAddress},
};
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
use crate::{
    accounts::{OwnerWords, PasswordError},
    channel::Channel,
    flows::{FlowError, Unsupported},
};

/// A code, its challenge, and the new password.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ResetRequest {
    /// What the request for the code answered.
    #[serde(default)]
    #[schema(value_type = Uuid, required)]
    challenge_id: Field,
    /// The digits of the message, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
    /// As at registration.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 128, pattern = "{password}", example = "quiet-otter-47")]
    password: Field,
    /// The same again.
    #[serde(default)]
    #[schema(value_type = String, required, example = "quiet-otter-47")]
    password_confirm: Field,
}

/// The password is set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasswordReset)]
pub struct ResetView {
    #[schema(example = "The password is set. All sessions have ended.")]
    detail: &'static str,
}

const DETAIL: &str = "If this address belongs to an account, a code is on its way.";

pub fn forgot_docs() -> Docs {
    Docs::new("forgot_password", Tag::Accounts, "Request a code to reset a password by.")
        .text(
            "The answer is the same for every address. A message goes out if a code for the address was typed with the \
             account's own token before, or at its registration. An e-mail address that was not proven so resets only an \
             account of which nothing else is proven. A phone that was not proven for `phone.reproof_after` resets nothing \
             where an e-mail address is proven as well. Up to three codes for one address are good at a time.\n\nThe message \
             is in the first language of `Accept-Language` that the service has a text in; else in its own.",
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
            &SentCode::new(DETAIL, &example_sent()),
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

/// Sends a code to reset a password by.
pub async fn forgot(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<CodeRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let CodeRequest { email, phone } = body.0;
    let address = either(&api, &mut faults, email, phone).ok_or_else(|| faults.into_error())?;
    let language = language_for(&api, &request, address.channel());
    let caller = caller(&api, &request, MaybeBearer(None), language);
    let sent = api.flows.reset_password.send(caller, address).await?;
    Ok(HttpResponse::Ok().json(SentCode::new(DETAIL, &sent)))
}

pub fn reset_docs() -> Docs {
    Docs::new("reset_password", Tag::Accounts, "Set a new password by a code.")
        .text(
            "All sessions of the account end, also those whose login is under way. Whoever owns a proven address of it is \
             told. A password that is made of the account's own e-mail address, phone or name is refused once the code was right, which \
             stays good; all other rules are judged before the code is.",
        )
        .body::<ResetRequest>(
            &["challenge_id", "otp", "password", "password_confirm"],
            &[(
                "reset",
                json!({
                    "challenge_id": CHALLENGE_ID, "otp": "123456",
                    "password": "quiet-otter-47", "password_confirm": "quiet-otter-47",
                }),
            )],
        )
        .in_language()
        .answers(200, "The password is set.", &ResetView::done())
        .judges_a_code()
        .refuses([FlowError::Password(PasswordError::Personal)])
        .unavailable()
}

/// Judges a code: a right one sets the password.
pub async fn reset(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<ResetRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let ResetRequest {
        challenge_id,
        otp,
        password,
        password_confirm,
    } = body.0;
    let typed = typed_by_id(&api, &mut faults, otp, challenge_id);
    // Whose it is isn't known before the code is right.
    let owner = OwnerWords::default();
    let typed_twice = (password, password_confirm);
    let password = new_password::read(&mut faults, &api.password_rules, typed_twice, &owner).await;
    let (Some(typed), Some(password), true) = (typed, password, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let who = client_info(&api, &request);
    let language = language_for(&api, &request, Channel::Email);
    api.flows
        .reset_password
        .reset(who, language, typed, password)
        .await?;
    Ok(HttpResponse::Ok().json(ResetView::done()))
}

impl ResetView {
    fn done() -> Self {
        Self {
            detail: "The password is set. All sessions have ended.",
        }
    }
}
