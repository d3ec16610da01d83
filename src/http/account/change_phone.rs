//! Changing one's phone: asking for a code at the new one, entering it.

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
    flows::{FlowError, Unsupported},
    http::{
        api::Api,
        kit::{
            auth::current,
            docs::{Docs, MINUTE, PHONE, Tag, refusal},
            extract::{Faults, Field, UnreadJson},
            problem::ApiError,
        },
        public::{
            codes::{example_sent, typed},
            sent::SentToPhone,
        },
    },
    phone::PhoneNumber,
};

/// The new phone, and who changes it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChangePhoneRequest {
    /// In international form, in digits of any script; spaces, punctuation and invisible marks are dropped, and where
    /// `phone.check` knows the country, a trunk prefix too.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{phone}", example = "+14155552671")]
    phone: Field,
    /// The account's password. Null where it has none: a sign-in by code in the last ten minutes stands in for it.
    #[serde(default)]
    #[schema(value_type = Option<String>, required, max_length = 128, example = "securepass123")]
    password: Field,
}

/// A code and the new phone that it came to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VerifyNewPhoneRequest {
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{phone}", example = "+14155552671")]
    phone: Field,
    /// The digits of the SMS, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
    /// What `phone/change` answered: then no other challenge is touched.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    challenge_id: Field,
}

const DETAIL: &str =
    "A code is on its way to the new phone. Until it is entered, the old one stays in force.";

pub fn change_docs() -> Docs {
    Docs::new("change_phone", Tag::Phones, "Request a code to change the phone.")
        .text(
            "Until its code is entered, the old phone stays in force. A number that another account has proven moves: numbers \
             are given to others. A wrong password counts under `password.change`.",
        )
        .bearer()
        .body::<ChangePhoneRequest>(
            &["phone", "password"],
            &[("change", json!({ "phone": PHONE, "password": "securepass123" }))],
        )
        .answers(200, "The code is on its way.", &SentToPhone::new(DETAIL, PHONE.to_owned(), &example_sent()))
        .refuses([AccountError::PasswordIncorrect])
        .refuses([
            FlowError::PhoneNotSupported(Unsupported::Kind),
            FlowError::Cooldown(refusal("otp-resend-cooldown", 1, MINUTE)),
        ])
        .limited("password-guess-minute", 5, MINUTE)
        .in_language()
        .asks_for_work()
        .unavailable()
}

/// Sends a code to the new phone.
pub async fn change(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<ChangePhoneRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let ChangePhoneRequest { phone, password } = body.read().await?;
    let mut faults = Faults::default();
    let phone = faults.required("phone", phone, |text| PhoneNumber::parse(text, api.phone_check));
    let password = presented(&mut faults, "password", password);
    let (Some(phone), Some(password)) = (phone, password) else {
        return Err(faults.into_error());
    };
    let shown = phone.expose().to_owned();
    let changer = changer(&api, &request, signed_in, Channel::Sms);
    let sent = api.flows.change_phone.send(changer, phone, password).await?;
    Ok(SentToPhone::new(DETAIL, shown, &sent).answer())
}

pub fn verify_docs() -> Docs {
    Docs::new("verify_new_phone", Tag::Phones, "Change the phone by the code that came to it.")
        .text(
            "Three codes are judged at most. Whoever had the old phone proven is told, and so is the account that loses the \
             number, if one does. Once the phone has changed, no other pending change of it is good.",
        )
        .bearer()
        .in_language()
        .body::<VerifyNewPhoneRequest>(
            &["phone", "otp"],
            &[("verify", json!({ "phone": PHONE, "otp": "123456" }))],
        )
        .answers(200, "The account with its new phone.", &UserView::example())
        .judges_a_code()
        .refuses([FlowError::PhoneTaken])
        .unavailable()
}

/// Judges a code: a right one changes the phone.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<VerifyNewPhoneRequest>,
) -> Result<HttpResponse, ApiError> {
    let signed_in = current(&api, &request).await?;
    let VerifyNewPhoneRequest {
        phone,
        otp,
        challenge_id,
    } = body.read().await?;
    let mut faults = Faults::default();
    let phone = faults.required("phone", phone, |text| PhoneNumber::parse(text, api.phone_check));
    let typed = typed(&api, &mut faults, otp, challenge_id);
    let (Some(phone), Some(typed), true) = (phone, typed, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    let changer = changer(&api, &request, signed_in, Channel::Sms);
    let user = api.flows.change_phone.verify(changer, phone, typed).await?;
    Ok(HttpResponse::Ok().json(UserView::from(user)))
}
