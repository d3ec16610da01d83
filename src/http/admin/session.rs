//! The second proof of an administrator: asking for its code, entering it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    channel::Channel,
    flows::{Changer, FlowError, MayNotAdminister, Typed},
    http::{
        api::Api,
        kit::{
            auth::current,
            client::{client_info, client_network, proof_of_work},
            docs::{CHALLENGE_ID, Docs, HOUR, MINUTE, PHONE, Tag, refusal},
            extract::{Faults, Field, UnreadJson},
            language::language_for,
            problem::ApiError,
        },
        public::{
            codes::{example_sent, typed_by_id},
            sent::{SentToEither, SentToPhone},
            sessions::TokensView,
        },
    },
};

/// A code and its challenge.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SecondProofRequest {
    /// What the request for the code answered.
    #[serde(default)]
    #[schema(value_type = Uuid, required)]
    challenge_id: Field,
    /// The digits of the message, in any script; spaces and dashes between them are passed over.
    #[serde(default)]
    #[schema(value_type = String, required, pattern = "{otp}", example = "123456")]
    otp: Field,
}

/// The tokens of an administrator's session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecondProof)]
pub struct SecondProofView {
    tokens: TokensView,
}

const DETAIL: &str = "A code is on its way.";

pub fn send_docs() -> Docs {
    Docs::new("admin_session", Tag::Administration, "Request a code for the second proof.")
        .text(
            "With a token of a session that was opened with the password. The code goes to the account's proven phone, or to \
             its e-mail address where no phone is proven; never to a test number. For 24 hours after a reset of the password, \
             or a change of the phone or the e-mail address, it is refused.",
        )
        .bearer()
        .answers(
            200,
            "The code is on its way.",
            &SentToEither::Phone(SentToPhone::new(DETAIL, PHONE.to_owned(), &example_sent())),
        )
        .refuses([MayNotAdminister::NoRole, MayNotAdminister::ResetLately].map(FlowError::MayNotAdminister))
        .refuses([
            FlowError::Cooldown(refusal("otp-resend-cooldown", 1, MINUTE)),
            FlowError::MailNotConfigured,
        ])
        .limited("otp-send-per-phone-day", 10, 48 * HOUR)
        .in_language()
        .unavailable()
}

/// Sends the code of the second proof.
pub async fn send(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let asker = asker(&api, &request).await?;
    let (address, sent) = api.flows.administer.send(asker).await?;
    Ok(HttpResponse::Ok().json(SentToEither::new(DETAIL, &address, &sent)))
}

pub fn verify_docs() -> Docs {
    Docs::new(
        "admin_session_verify",
        Tag::Administration,
        "Give the second proof.",
    )
    .text(
        "The tokens that come of it alone carry `role`, and are good for the routes of administrators until \
             `admin.session_ttl` is over. They are renewed like all others.",
    )
    .bearer()
    .body::<SecondProofRequest>(
        &["challenge_id", "otp"],
        &[("verify", json!({ "challenge_id": CHALLENGE_ID, "otp": "123456" }))],
    )
    .answers(
        200,
        "The tokens of the administrator's session.",
        &SecondProofView {
            tokens: TokensView::example(),
        },
    )
    .refuses([FlowError::MayNotAdminister(MayNotAdminister::NoRole)])
    .refuses([
        FlowError::Wrong {
            attempts_remaining: 2,
        },
        FlowError::AttemptsExceeded,
        FlowError::Expired,
    ])
    .limited("otp-verify-per-ip", 1200, HOUR)
    .unavailable()
}

/// Judges the code: a right one opens a session of an administrator.
pub async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    body: UnreadJson<SecondProofRequest>,
) -> Result<HttpResponse, ApiError> {
    let asker = asker(&api, &request).await?;
    let SecondProofRequest { challenge_id, otp } = body.read().await?;
    let mut faults = Faults::default();
    let typed = typed_by_id(&api, &mut faults, otp, challenge_id).ok_or_else(|| faults.into_error())?;
    let typed = Typed {
        code: typed.code,
        challenge_id: Some(typed.challenge_id),
    };
    let who = client_info(&api, &request);
    let tokens = api.flows.administer.verify(asker, who, typed).await?;
    Ok(HttpResponse::Ok().json(SecondProofView {
        tokens: tokens.into(),
    }))
}

async fn asker(api: &Api, request: &HttpRequest) -> Result<Changer, ApiError> {
    let signed_in = current(api, request).await?;
    let by = match signed_in.user.phone_verified {
        true => Channel::Sms,
        false => Channel::Email,
    };
    Ok(Changer {
        signed_in,
        client: client_network(api, request),
        language: language_for(api, request, by),
        work: proof_of_work(request),
    })
}
