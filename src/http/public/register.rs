//! Making an account.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::codes::{caller, example_sent, typed};

use super::sent::SentToEmail;
use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        client::client_info,
        docs::{Docs, EMAIL, HOUR, MINUTE, PHONE, Tag, refusal},
        extract::{Faults, Field, JsonBody},
        language::language_for,
        problem::ApiError,
    },
    public::{new_password, sessions::SignedInView},
};
use crate::{
    accounts::{AccountError, OwnerWords, PersonName, Registration},
    channel::Channel,
    email::EmailAddress,
    flows::{FlowError, Typed, TypedById},
    phone::PhoneNumber,
};

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Compared without case; a domain in its own script and in punycode is one. At most 254 bytes, 64 of them before the @.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254, pattern = "{email}", example = "test@example.com")]
    email: Field,
    /// In international form, in digits of any script; spaces, punctuation and invisible marks are dropped, and where
    /// `phone.check` knows the country, a trunk prefix too.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{phone}", example = "+14155552671")]
    phone: Field,
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 1, max_length = 150, pattern = "{name}", example = "Test")]
    first_name: Field,
    /// Missing, null or empty for whoever has one name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 150, pattern = "{last_name}", example = "User")]
    last_name: Field,
    /// Up to 128 characters of any script, not one again and again; not made of the e-mail address, the phone, the name or
    /// the name of the service; not a common or stolen one.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 128, pattern = "{password}", example = "securepass123")]
    password: Field,
    /// The same again.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 128, pattern = "{password}", example = "securepass123")]
    password_confirm: Field,
    /// The digits of the e-mail that `register/code` had sent: they prove the address at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "{otp}", example = "123456")]
    otp: Field,
    /// What `register/code` answered; needed with `otp`.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    challenge_id: Field,
}

/// The address of an account that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RegisterCodeRequest {
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 254, pattern = "{email}", example = "jane@example.com")]
    email: Field,
}

const DETAIL: &str = "If an account can be made with the address, a code is on its way.";

pub fn register_docs() -> Docs {
    Docs::new(
        "register",
        Tag::Accounts,
        "Create an account and open its first session.",
    )
    .text(
        "The phone is a claim until a code proves it: any number of accounts may claim one. With `otp` and `challenge_id` of \
         `register/code`, the e-mail address is verified at once, and taken from an account that never verified it. Where \
         `accounts.register_code` is `required`, there is no other way.",
    )
    .body::<RegisterRequest>(
        &[
            "email",
            "phone",
            "first_name",
            "last_name",
            "password",
            "password_confirm",
        ],
        &[
            (
                "register",
                json!({
                    "email": "test@example.com", "phone": PHONE, "first_name": "Test", "last_name": "User",
                    "password": "securepass123", "password_confirm": "securepass123",
                }),
            ),
            (
                "with a code",
                json!({
                    "email": "test@example.com", "phone": PHONE, "first_name": "Test", "last_name": "User",
                    "password": "securepass123", "password_confirm": "securepass123",
                    "otp": "123456", "challenge_id": example_sent().challenge_id,
                }),
            ),
        ],
    )
    .answers(201, "The account and its tokens.", &SignedInView::example())
    .refuses([AccountError::EmailTaken])
    .refuses_codes()
    .limited("register-per-ip", 300, HOUR)
    .unavailable()
}

/// Creates an account and opens its first session.
pub async fn register(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<RegisterRequest>,
) -> Result<HttpResponse, ApiError> {
    let (registration, typed) = registration(&api, body.0).await?;
    let who = client_info(&api, &request);
    let (user, tokens) = api.flows.register.register(who, registration, typed).await?;
    Ok(HttpResponse::Created().json(SignedInView {
        user: user.into(),
        tokens: tokens.into(),
    }))
}

pub fn send_docs() -> Docs {
    Docs::new("register_code", Tag::Accounts, "Request a code to register with.")
        .text(
            "Registering with it proves the e-mail address at once. The answer is the same for every address; no e-mail goes to \
             one that an account has verified. Three codes for an address live at a time.",
        )
        .body::<RegisterCodeRequest>(&["email"], &[("send", json!({ "email": EMAIL }))])
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
        .in_language()
        .asks_for_work()
        .unavailable()
}

/// Sends a code to an address that is to have an account.
pub async fn send(
    api: web::Data<Api>,
    request: HttpRequest,
    body: JsonBody<RegisterCodeRequest>,
) -> Result<HttpResponse, ApiError> {
    let mut faults = Faults::default();
    let email = faults.required("email", body.0.email, EmailAddress::parse);
    let email = email.ok_or_else(|| faults.into_error())?;
    let language = language_for(&api, &request, Channel::Email);
    let caller = caller(&api, &request, MaybeBearer(None), language);
    let shown = email.expose().to_owned();
    let sent = api.flows.register.send(caller, email).await?;
    Ok(HttpResponse::Ok().json(SentToEmail::new(DETAIL, shown, &sent)))
}

/// The code that somebody registers with, if they do. It comes with its challenge's id, or not at all.
fn code(api: &Api, faults: &mut Faults, otp: Field, challenge_id: Field) -> Option<TypedById> {
    let is_absent = |field: &Field| matches!(field, Field::Missing | Field::Null);
    if is_absent(&otp) && is_absent(&challenge_id) && !api.flows.register.needs_code {
        return None;
    }
    if is_absent(&challenge_id) {
        faults.note("challenge_id", "This field is required.");
    }
    let Typed { code, challenge_id } = typed(api, faults, otp, challenge_id)?;
    challenge_id.map(|challenge_id| TypedById { code, challenge_id })
}

async fn registration(
    api: &Api,
    body: RegisterRequest,
) -> Result<(Registration, Option<TypedById>), ApiError> {
    let mut faults = Faults::default();
    let by_code = code(api, &mut faults, body.otp, body.challenge_id);
    let email = faults.required("email", body.email, EmailAddress::parse);
    let phone = faults.required("phone", body.phone, |text| {
        PhoneNumber::parse(text, api.phone_check)
    });
    let first_name = faults.required("first_name", body.first_name, PersonName::parse);
    let last_name = faults
        .optional("last_name", body.last_name, PersonName::parse_or_absent)
        .unwrap_or(PersonName::ABSENT);
    let owner = OwnerWords {
        email: email.as_ref(),
        phone: phone.as_ref(),
        first_name: first_name.as_ref(),
        last_name: Some(&last_name),
    };
    let typed = (body.password, body.password_confirm);
    let password = new_password::read(&mut faults, &api.password_rules, typed, &owner).await;
    match (faults.is_empty(), email, phone, first_name, password) {
        (true, Some(email), Some(phone), Some(first_name), Some(password)) => {
            let registration = Registration {
                email,
                phone,
                first_name,
                last_name,
                password,
            };
            Ok((registration, by_code))
        }
        _ => Err(faults.into_error()),
    }
}
