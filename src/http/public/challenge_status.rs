//! How far the message of a code has come.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{
    api::Api,
    kit::{
        auth::MaybeBearer,
        client::client_network,
        docs::{CHALLENGE_ID, Docs, MINUTE, Tag},
        problem::ApiError,
    },
};
use crate::{
    channel::Channel,
    clock::whole_seconds,
    flows::{FlowError, Progress},
    provider::DeliveryStatus,
};

/// How far the message of a challenge has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtpStatus)]
pub struct StatusView {
    challenge_id: Uuid,
    /// How the message travels: `sms` or `email`.
    #[schema(value_type = ChannelName, example = "sms")]
    channel: &'static str,
    /// With the token of the user whose challenge it is, what happened. `queued`: it is about to go out. `sent`: a provider
    /// has it. `delivered`: it arrived. `undelivered`: the networks gave it up. `failed`: the provider refused it. Without
    /// delivery receipts it stays `sent`.
    ///
    /// Without a token, or with another user's: `queued` for a second, then `sent`, whatever happened.
    #[schema(value_type = StatusName, example = "sent")]
    status: &'static str,
    /// Seconds until another code may be sent to this address, as far as rate limits allow; 0: now. A message that did not
    /// arrive ends the wait for the user whose challenge it is.
    #[schema(example = 42)]
    resend_after: u64,
}

/// How a message travels, as the documents list it.
#[derive(ToSchema)]
#[schema(as = Channel, rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes JSON that is made elsewhere")]
enum ChannelName {
    Sms,
    Email,
}

/// How far a message has come, as the documents list it.
#[derive(ToSchema)]
#[schema(as = DeliveryStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes JSON that is made elsewhere")]
enum StatusName {
    Queued,
    Sent,
    Delivered,
    Undelivered,
    Failed,
}

pub fn status_docs() -> Docs {
    Docs::new("otp_status", Tag::Phones, "Get the delivery status of a code.")
        .text(
            "For as long as the code lives and no newer one has replaced it. Without the token of the user whose challenge it \
             is, the answer follows one schedule for every challenge, and doesn't tell whether an account has the address.",
        )
        .optional_bearer()
        .parameter(
            "path",
            "challenge_id",
            "What the request for the code answered.",
            json!({ "type": "string", "format": "uuid" }),
            CHALLENGE_ID,
        )
        .answers(200, "The status.", &StatusView::example())
        .refuses([FlowError::UnknownChallenge])
        .limited("otp-status-per-ip", 6000, MINUTE)
        .unavailable()
}

/// Tells how the delivery of a challenge stands.
pub async fn status(
    api: web::Data<Api>,
    request: HttpRequest,
    bearer: MaybeBearer,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = Uuid::parse_str(&id).map_err(|_| FlowError::UnknownChallenge)?;
    let user = bearer.0.map(|signed_in| signed_in.user.id);
    let client = client_network(&api, &request);
    let progress = api.flows.codes.status(client, user, id).await?;
    Ok(HttpResponse::Ok().json(StatusView::of(id, &progress)))
}

impl StatusView {
    fn of(challenge_id: Uuid, progress: &Progress) -> Self {
        Self {
            challenge_id,
            channel: progress.channel.name(),
            status: progress.status.name(),
            resend_after: whole_seconds(progress.resend_after),
        }
    }

    /// As the documents show it.
    fn example() -> Self {
        let progress = Progress {
            channel: Channel::Sms,
            status: DeliveryStatus::Sent,
            resend_after: MINUTE * 7 / 10,
        };
        Self::of(
            Uuid::from_u128(0x3f2b_8c4d_1e6a_4f70_8b9c_0d1e_2f3a_4b5c),
            &progress,
        )
    }
}
