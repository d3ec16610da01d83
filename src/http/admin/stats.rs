//! What it adds up to: sign-ups, messages, conversion, money, refusals.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{access::enter, events::since, verifications::amount};
use crate::{
    admin::{Hour, Messages, Stats},
    events::EventCount,
    http::{
        account::me::rfc3339,
        api::Api,
        kit::{
            docs::{Docs, MINUTE, Tag},
            extract::{Faults, Query},
            problem::ApiError,
            rejection::Rejection,
        },
    },
    problem::FieldErrors,
    tokens::Role,
};

/// What is looked at where nothing is said, and at most.
const USUAL: TimeDelta = TimeDelta::hours(24);
const MOST: TimeDelta = TimeDelta::days(31);

/// What it adds up to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminStats)]
pub struct StatsView {
    #[serde(serialize_with = "rfc3339")]
    since: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    until: DateTime<Utc>,
    sign_ups: i64,
    /// By country, provider and channel; the most messages first.
    messages: Vec<MessagesView>,
    /// By rule, or by the code of the answer where no rule refused.
    refusals: Vec<RefusalsView>,
    /// Each hour in which something happened.
    hours: Vec<HourView>,
}

/// Messages of one country, provider and channel.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminMessages)]
pub struct MessagesView {
    #[schema(required, example = "US")]
    country: Option<String>,
    #[schema(required, example = "twilio")]
    provider: Option<String>,
    #[schema(required, example = "sms")]
    channel: Option<String>,
    messages: i64,
    delivered: i64,
    /// Undelivered or failed.
    failed: i64,
    /// Whose code was entered.
    verified: i64,
    /// `verified` of `messages`.
    #[schema(example = 0.92)]
    conversion: f64,
    /// What they cost, as far as the provider said.
    money: Vec<MoneyView>,
}

/// An amount.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminMoney)]
pub struct MoneyView {
    #[schema(example = "USD")]
    pub currency: String,
    #[schema(example = 12.5)]
    pub amount: f64,
}

/// What was refused, and how often.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminRefusals)]
pub struct RefusalsView {
    #[schema(example = "request.refused")]
    kind: String,
    #[schema(example = "otp-send-per-phone-day")]
    rule: String,
    times: i64,
}

/// What happened in an hour.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminHour)]
pub struct HourView {
    #[serde(serialize_with = "rfc3339")]
    hour: DateTime<Utc>,
    sign_ups: i64,
    messages: i64,
    verified: i64,
    refusals: i64,
}

pub fn show_docs() -> Docs {
    let time = json!({ "type": "string", "format": "date-time" });
    let since = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
    Docs::new("admin_stats", Tag::Administration, "See what it adds up to.")
        .text("The last 24 hours, or from `since` on: 31 days at most.")
        .bearer()
        .parameter("query", "since", "Not older.", time, "2026-05-28T20:26:40Z")
        .answers(200, "The sums.", &StatsView::from(Stats::example(since)))
        .refuses([Rejection::Fields(FieldErrors::from([(
            "since",
            vec![FAR.into()],
        )]))])
        .administers(Role::Support)
        .limited("admin-per-user", 600, MINUTE)
        .unavailable()
}

const FAR: &str = "At most 31 days ago.";

/// Shows what it adds up to.
pub async fn show(
    api: web::Data<Api>,
    request: HttpRequest,
    mut query: Query,
) -> Result<HttpResponse, ApiError> {
    let entered = enter(&api, &request, Role::Support).await?;
    let mut faults = Faults::default();
    let since = since(&mut faults, &mut query);
    let now = api.admin.clock.now();
    if since.is_some_and(|since| now - since > MOST) {
        faults.note("since", FAR);
    }
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    let stats = api
        .admin
        .stats(&entered.acting(None), since.unwrap_or(now - USUAL))
        .await?;
    Ok(HttpResponse::Ok().json(StatsView::from(stats)))
}

impl From<Stats> for StatsView {
    fn from(stats: Stats) -> Self {
        Self {
            since: stats.since,
            until: stats.until,
            sign_ups: stats.sign_ups,
            messages: stats.messages.into_iter().map(Into::into).collect(),
            refusals: stats.refusals.into_iter().map(Into::into).collect(),
            hours: stats.hours.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Messages> for MessagesView {
    fn from(group: Messages) -> Self {
        Self {
            conversion: group.conversion(),
            country: group.country,
            provider: group.provider,
            channel: group.channel,
            messages: group.messages,
            delivered: group.delivered,
            failed: group.failed,
            verified: group.verified,
            money: group
                .money
                .into_iter()
                .map(|(currency, micros)| MoneyView {
                    currency,
                    amount: amount(micros),
                })
                .collect(),
        }
    }
}

impl From<EventCount> for RefusalsView {
    fn from(count: EventCount) -> Self {
        Self {
            kind: count.kind,
            rule: count.reason,
            times: count.times,
        }
    }
}

impl From<Hour> for HourView {
    fn from(hour: Hour) -> Self {
        Self {
            hour: hour.began,
            sign_ups: hour.sign_ups,
            messages: hour.messages,
            verified: hour.verified,
            refusals: hour.refusals,
        }
    }
}
