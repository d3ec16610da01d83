//! Proving a phone: asking for a code, entering it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api,
    auth::MaybeBearer,
    client::client_address,
    extract::{Faults, Field, JsonBody},
    problem::ApiError,
};
use crate::{
    otp::{Caller, OtpCode},
    phone::PhoneNumber,
};

/// Where a code shall go.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SendRequest {
    /// In international form; spaces and punctuation are dropped.
    #[serde(default)]
    #[schema(value_type = String, required, example = "+1234567890")]
    phone: Field,
}

/// A code and the phone that it came to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct VerifyRequest {
    #[serde(default)]
    #[schema(value_type = String, required, example = "+1234567890")]
    phone: Field,
    /// The digits of the SMS.
    #[serde(default)]
    #[schema(value_type = String, required, example = "123456")]
    otp: Field,
    /// What `send-phone-otp` answered: then no other challenge is touched.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    challenge_id: Field,
}

/// A code is on its way, if the phone may have one: the answer is the same for every phone.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentView {
    #[schema(example = "If the phone belongs to an account, a code is on its way.")]
    detail: &'static str,
    #[schema(example = "+1234567890")]
    phone: String,
    challenge_id: Uuid,
    /// Seconds for which the code is good.
    #[schema(example = 600)]
    expires_in: u64,
    /// Seconds until another code may be sent to this phone.
    #[schema(example = 60)]
    resend_after: u64,
}

/// The phone is proven.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifiedView {
    #[schema(example = "The phone is verified.")]
    detail: &'static str,
    #[schema(example = "+1234567890")]
    phone: String,
    #[schema(example = true)]
    phone_verified: bool,
}

#[derive(Debug, Error)]
enum FieldError {
    #[error("Enter the {0} digits of the SMS.")]
    Code(u8),
    #[error("This is not a challenge id.")]
    ChallengeId,
}

/// Sends a code by SMS. With a bearer token the challenge is that user's alone.
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
    let sent = api.otp.send(&caller(&request, bearer), &phone).await?;
    Ok(HttpResponse::Ok().json(SentView {
        detail: "If the phone belongs to an account, a code is on its way.",
        phone: phone.expose().to_owned(),
        challenge_id: sent.challenge_id,
        expires_in: sent.expires_in.as_secs(),
        resend_after: sent.resend_after.as_secs(),
    }))
}

/// Judges a code; a right one verifies the phone.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    bearer: MaybeBearer,
    body: JsonBody<VerifyRequest>,
) -> Result<HttpResponse, ApiError> {
    let length = api.otp.rules.length;
    let mut faults = Faults::default();
    let phone = faults.required("phone", body.0.phone, |text| {
        PhoneNumber::parse(text, api.phone_check)
    });
    let code = faults.required("otp", body.0.otp, |text| {
        OtpCode::parse(text, length).ok_or(FieldError::Code(length))
    });
    let challenge = faults.optional("challenge_id", body.0.challenge_id, |text| {
        Uuid::parse_str(text).map_err(|_| FieldError::ChallengeId)
    });
    let (Some(phone), Some(code), true) = (phone, code, faults.is_empty()) else {
        return Err(faults.into_error());
    };
    api.otp
        .verify(&caller(&request, bearer), &phone, &code, challenge)
        .await?;
    Ok(HttpResponse::Ok().json(VerifiedView {
        detail: "The phone is verified.",
        phone: phone.expose().to_owned(),
        phone_verified: true,
    }))
}

fn caller(request: &HttpRequest, bearer: MaybeBearer) -> Caller {
    Caller {
        ip: client_address(request),
        user: bearer.0.map(|signed_in| signed_in.user),
    }
}
