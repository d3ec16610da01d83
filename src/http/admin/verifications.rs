//! The ledger: what became of messages and their codes.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    access::enter,
    users::{MOST, USUAL},
    views::rfc3339_or_null,
};
use crate::{
    admin::Entered,
    http::{
        account::me::rfc3339,
        api::Api,
        kit::{
            cursor::{cursor, place},
            docs::{CHALLENGE_ID, Docs, MINUTE, Tag},
            extract::{Faults, Query},
            problem::ApiError,
            rejection::Rejection,
        },
    },
    ledger::{StoredVerification, VerificationFilter},
    phone::Country,
    problem::FieldErrors,
    provider::DeliveryStatus,
    tokens::Role,
};

#[derive(Debug, Error)]
pub enum FilterError {
    #[error("This is not an id.")]
    Id,
    #[error("Two capital letters, as in ISO 3166-1.")]
    Country,
    #[error("One of queued, sent, delivered, undelivered, failed.")]
    State,
}

/// What became of a message and its code. Neither the code nor the address is kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminVerification)]
pub struct VerificationView {
    challenge_id: Uuid,
    /// Null: of an account that was deleted, or to somebody who had none.
    #[schema(required)]
    user_id: Option<Uuid>,
    #[schema(required, example = "verify_phone")]
    purpose: Option<String>,
    #[schema(required, example = "sms")]
    channel: Option<String>,
    /// ISO 3166-1, of a phone.
    #[schema(required, example = "US")]
    country: Option<String>,
    #[schema(required, example = "twilio")]
    provider: Option<String>,
    /// The provider's.
    #[schema(required)]
    message_id: Option<String>,
    /// `queued`, `sent`, `delivered`, `undelivered` or `failed`.
    #[schema(example = "delivered")]
    state: String,
    /// Wrong codes that were entered.
    attempts: i16,
    /// The provider's own.
    #[schema(required, example = json!(null))]
    error_code: Option<i64>,
    /// In `currency`.
    #[schema(required, example = 0.0079)]
    price: Option<f64>,
    #[schema(required, example = "USD")]
    currency: Option<String>,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    sent_at: Option<DateTime<Utc>>,
    /// When its state became final.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    settled_at: Option<DateTime<Utc>>,
    /// When the right code was entered.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schema(required)]
    verified_at: Option<DateTime<Utc>>,
}

/// Rows of the ledger, and where the list goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminVerifications)]
pub struct VerificationsView {
    pub verifications: Vec<VerificationView>,
    #[schema(required, example = json!(null))]
    pub next_cursor: Option<String>,
}

pub fn list_docs() -> Docs {
    let text = json!({ "type": "string" });
    Docs::new(
        "admin_verifications",
        Tag::Administration,
        "See what became of messages.",
    )
    .text("The newest first.")
    .bearer()
    .parameter(
        "query",
        "user",
        "Of this account.",
        json!({ "type": "string", "format": "uuid" }),
        "",
    )
    .parameter(
        "query",
        "country",
        "To phones of this country.",
        text.clone(),
        "US",
    )
    .parameter("query", "state", "In this state.", text.clone(), "failed")
    .parameter("query", "cursor", "Where the list goes on.", text, "")
    .limit_parameter(MOST)
    .answers(
        200,
        "Rows of the ledger.",
        &VerificationsView {
            verifications: vec![VerificationView::example()],
            next_cursor: None,
        },
    )
    .refuses([Rejection::Fields(FieldErrors::from([(
        "state",
        vec![FilterError::State.to_string().into()],
    )]))])
    .administers(Role::Support)
    .limited("admin-per-user", 600, MINUTE)
    .unavailable()
}

/// Lists rows of the ledger.
pub async fn list(api: web::Data<Api>, request: HttpRequest, query: Query) -> Result<HttpResponse, ApiError> {
    let entered = enter(&api, &request, Role::Support).await?;
    Ok(HttpResponse::Ok().json(found(&api, &entered, query).await?))
}

/// The rows that are asked for.
pub async fn found(api: &Api, entered: &Entered, query: Query) -> Result<VerificationsView, ApiError> {
    let (list, mut filter) = filter(api, query)?;
    let limit = filter.limit as usize;
    filter.limit += 1;
    let mut rows = api.admin.verifications(&entered.acting(None), &filter).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| has_more);
    let last = last.map(|row| (row.created_at.timestamp_micros(), row.challenge_id));
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let keyring = &api.flows.codes.challenges.keyring;
    Ok(VerificationsView {
        next_cursor: last.map(|place| cursor(keyring, &list, &place)),
        verifications: rows.into_iter().map(Into::into).collect(),
    })
}

/// What is asked for, and the list that its cursors belong to.
fn filter(api: &Api, mut query: Query) -> Result<([String; 4], VerificationFilter), ApiError> {
    let mut faults = Faults::default();
    let user = faults.optional("user", query.take("user"), |text| {
        Uuid::parse_str(text).map_err(|_| FilterError::Id)
    });
    let country = faults.optional("country", query.take("country"), |text| {
        Country::parse(text).ok_or(FilterError::Country)
    });
    let status = faults.optional("state", query.take("state"), |text| {
        let mut all = DeliveryStatus::ALL.into_iter();
        all.find(|status| status.name() == text).ok_or(FilterError::State)
    });
    let list = [
        "verifications".to_owned(),
        user.map(|user| user.to_string()).unwrap_or_default(),
        country.map(|country| country.to_string()).unwrap_or_default(),
        status.map_or("", DeliveryStatus::name).to_owned(),
    ];
    let keyring = &api.flows.codes.challenges.keyring;
    let after = faults.optional("cursor", query.take("cursor"), |text| {
        let list: Vec<_> = list.iter().map(String::as_str).collect();
        place::<(i64, Uuid)>(keyring, &list, text)
    });
    let limit = faults.number("limit", query.take("limit"), 1..=i64::from(MOST));
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    let after = after.and_then(|(micros, id)| Some((DateTime::from_timestamp_micros(micros)?, id)));
    let filter = VerificationFilter {
        user,
        country,
        status,
        after,
        limit: limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(USUAL),
    };
    Ok((list, filter))
}

/// Millionths as a number.
#[expect(
    clippy::cast_precision_loss,
    reason = "shown to people; the ledger has the millionths"
)]
pub fn amount(micros: i64) -> f64 {
    micros as f64 / 1e6
}

impl From<StoredVerification> for VerificationView {
    fn from(row: StoredVerification) -> Self {
        Self {
            challenge_id: row.challenge_id,
            user_id: row.user_id,
            purpose: row.purpose,
            channel: row.channel,
            country: row.country,
            provider: row.provider,
            message_id: row.message_id,
            state: row.status,
            attempts: row.attempts,
            error_code: row.error_code,
            price: row.price_micros.map(amount),
            currency: row.currency,
            created_at: row.created_at,
            sent_at: row.sent_at,
            settled_at: row.settled_at,
            verified_at: row.verified_at,
        }
    }
}

impl VerificationView {
    /// The provider's own.
    pub fn error_code(&self) -> Option<i64> {
        self.error_code
    }

    /// As the documents show it.
    pub fn example() -> Self {
        let time = |seconds: i64| DateTime::from_timestamp(1_780_000_000 + seconds, 0);
        Self {
            challenge_id: Uuid::parse_str(CHALLENGE_ID).unwrap_or_default(),
            user_id: Some(Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9e)),
            purpose: Some("verify_phone".to_owned()),
            channel: Some("sms".to_owned()),
            country: Some("US".to_owned()),
            provider: Some("twilio".to_owned()),
            message_id: Some("SM0123456789abcdef0123456789abcdef".to_owned()),
            state: DeliveryStatus::Delivered.name().to_owned(),
            attempts: 0,
            error_code: None,
            price: Some(0.0079),
            currency: Some("USD".to_owned()),
            created_at: time(0).unwrap_or_default(),
            sent_at: time(1),
            settled_at: time(3),
            verified_at: time(20),
        }
    }
}
