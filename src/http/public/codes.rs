//! What the requests for codes and their answers have in common, whatever the address.

use actix_web::HttpRequest;
use thiserror::Error;
use uuid::Uuid;

use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        client::{client_network, proof_of_work},
        docs::MINUTE,
        extract::{Faults, Field},
        rejection::Rejection,
    },
};
use crate::{
    accounts::Login,
    challenges::OtpCode,
    email::EmailAddress,
    flows::{Caller, Sent, Typed, TypedById},
    language::Language,
    phone::PhoneNumber,
    problem::FieldErrors,
};

#[derive(Debug, Error)]
enum FieldError {
    #[error("Enter the {0} digits of the message.")]
    Code(u8),
    #[error("This is not a challenge id.")]
    ChallengeId,
}

const NO_ADDRESS: &str = "Send the e-mail address, or the phone.";

/// What was sent, as the documents show it.
pub fn example_sent() -> Sent {
    Sent {
        challenge_id: Uuid::from_u128(0x3f2b_8c4d_1e6a_4f70_8b9c_0d1e_2f3a_4b5c),
        expires_in: 10 * MINUTE,
        resend_after: MINUTE,
    }
}

/// Reads what a client typed of a code.
pub fn typed(api: &Api, faults: &mut Faults, otp: Field, challenge_id: Field) -> Option<Typed> {
    let length = api.flows.codes.challenges.rules.length;
    let code = faults.required("otp", otp, |text| {
        OtpCode::parse(text, length).ok_or(FieldError::Code(length))
    });
    let challenge_id = faults.optional("challenge_id", challenge_id, |text| {
        Uuid::parse_str(text).map_err(|_| FieldError::ChallengeId)
    });
    code.map(|code| Typed { code, challenge_id })
}

/// Reads a code and the id of its challenge, where nothing else says what it is for.
pub fn typed_by_id(api: &Api, faults: &mut Faults, otp: Field, challenge_id: Field) -> Option<TypedById> {
    let length = api.flows.codes.challenges.rules.length;
    let code = faults.required("otp", otp, |text| {
        OtpCode::parse(text, length).ok_or(FieldError::Code(length))
    });
    let challenge_id = faults.required("challenge_id", challenge_id, |text| {
        Uuid::parse_str(text).map_err(|_| FieldError::ChallengeId)
    });
    let (code, challenge_id) = (code?, challenge_id?);
    Some(TypedById { code, challenge_id })
}

/// Reads an e-mail address or a phone, one of the two. `None`: something was noted.
pub fn either(api: &Api, faults: &mut Faults, email: Field, phone: Field) -> Option<Login> {
    let was_fine = faults.is_empty();
    let email = faults.optional("email", email, EmailAddress::parse);
    let phone = faults.optional("phone", phone, |text| PhoneNumber::parse(text, api.phone_check));
    match (email, phone) {
        (Some(email), None) if faults.is_empty() => Some(Login::Email(email)),
        (None, Some(phone)) if faults.is_empty() => Some(Login::Phone(phone)),
        (Some(_), None) | (None, Some(_)) => None,
        (Some(_), Some(_)) => {
            faults.note("phone", "Send the e-mail address or the phone, not both.");
            None
        }
        (None, None) => {
            if was_fine && faults.is_empty() {
                faults.note("email", NO_ADDRESS);
            }
            None
        }
    }
}

/// What is refused where neither is sent, for the documents.
pub fn no_address() -> Rejection {
    Rejection::Fields(FieldErrors::from([("email", vec![NO_ADDRESS.into()])]))
}

/// Who asks, and in what language.
pub fn caller(api: &Api, request: &HttpRequest, bearer: MaybeBearer, language: Language) -> Caller {
    Caller {
        client: client_network(api, request),
        user: bearer.0.map(|signed_in| signed_in.user),
        language,
        work: proof_of_work(request),
    }
}
