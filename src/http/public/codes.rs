//! What the requests for codes and their answers have in common, whatever the address.

use actix_web::HttpRequest;
use thiserror::Error;
use uuid::Uuid;

use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        client::client_network,
        docs::MINUTE,
        extract::{Faults, Field},
    },
};
use crate::{
    challenges::OtpCode,
    flows::{Caller, Sent, Typed},
    language::Language,
};

#[derive(Debug, Error)]
enum FieldError {
    #[error("Enter the {0} digits of the message.")]
    Code(u8),
    #[error("This is not a challenge id.")]
    ChallengeId,
}

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

/// Who asks, and in what language.
pub fn caller(api: &Api, request: &HttpRequest, bearer: MaybeBearer, language: Language) -> Caller {
    Caller {
        client: client_network(api, request),
        user: bearer.0.map(|signed_in| signed_in.user),
        language,
    }
}
