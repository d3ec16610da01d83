//! How the SMS of a code fares.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{
    api::Api,
    kit::{
        client::client_network,
        docs::{CHALLENGE_ID, Docs, MINUTE, Tag},
        problem::ApiError,
    },
};
use crate::{
    clock::whole_seconds,
    flows::{OtpError, Progress},
    provider::DeliveryStatus,
};

/// How the SMS of a challenge fares; of one that has none, how it would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtpStatus)]
pub struct StatusView {
    challenge_id: Uuid,
    /// `queued`: it is about to go out. `sent`: a provider has it. `delivered`: it is on the phone. `undelivered`: the
    /// networks gave it up. `failed`: the provider refused it. Without delivery receipts it stays `sent`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Seconds until another code may be sent to this phone, as far as rate limits allow; 0: now. An SMS that did not
    /// arrive ends the wait.
    #[schema(example = 42)]
    resend_after: u64,
}

pub fn status_docs() -> Docs {
    Docs::new("otp_status", Tag::Phones, "Get the delivery status of a code.")
        .text(
            "For as long as the code lives and no newer one has replaced it. The answer doesn't tell whether an account \
             has the phone.",
        )
        .parameter(
            "path",
            "challenge_id",
            "What `send-phone-otp` answered.",
            json!({ "type": "string", "format": "uuid" }),
            CHALLENGE_ID,
        )
        .answers(200, "The status.", &StatusView::example())
        .refuses([OtpError::UnknownChallenge])
        .limited("otp-status-per-ip", 6000, MINUTE)
        .unavailable()
}

/// Tells how the delivery of a challenge stands.
pub async fn status(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::parse_str(&id).map_err(|_| OtpError::UnknownChallenge)?;
    let progress = api.otp.status(client_network(&api, &request), id).await?;
    Ok(HttpResponse::Ok().json(StatusView::of(id, &progress)))
}

impl StatusView {
    fn of(challenge_id: Uuid, progress: &Progress) -> Self {
        Self {
            challenge_id,
            status: progress.status.name(),
            resend_after: whole_seconds(progress.resend_after),
        }
    }

    /// As the documents show it.
    fn example() -> Self {
        let progress = Progress {
            status: DeliveryStatus::Delivered,
            resend_after: MINUTE * 7 / 10,
        };
        Self::of(
            Uuid::from_u128(0x3f2b_8c4d_1e6a_4f70_8b9c_0d1e_2f3a_4b5c),
            &progress,
        )
    }
}
