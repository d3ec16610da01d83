//! What happened.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    access::enter,
    users::{MOST, USUAL},
};
use crate::{
    admin::Entered,
    events::{EventFilter, EventKind, StoredEvent},
    http::{
        account::me::rfc3339,
        api::Api,
        kit::{
            cursor::{cursor, place},
            docs::{Docs, MINUTE, Tag},
            extract::{Faults, Query},
            problem::ApiError,
            rejection::Rejection,
        },
    },
    problem::FieldErrors,
    tokens::Role,
};

#[derive(Debug, Error)]
pub enum FilterError {
    #[error("This is not an id.")]
    Id,
    #[error("There is no such kind of event.")]
    Kind,
    #[error("A time as in RFC 3339, such as 2026-05-28T20:26:40Z.")]
    Time,
}

/// An event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AdminEvent)]
pub struct EventView {
    id: Uuid,
    #[serde(serialize_with = "rfc3339")]
    at: DateTime<Utc>,
    #[schema(example = "account.locked")]
    kind: String,
    /// `user`, `administrator`, `operator`, `system`, or `anyone`.
    #[schema(example = "administrator")]
    actor: String,
    #[schema(required)]
    actor_id: Option<Uuid>,
    /// Whose account it is about.
    #[schema(required)]
    user_id: Option<Uuid>,
    /// /24 of IPv4, /48 of IPv6.
    #[schema(required, example = "203.0.113.0/24")]
    network: Option<String>,
    /// What an administrator gave.
    #[schema(required, example = "The owner called.")]
    reason: Option<String>,
    #[schema(value_type = Object)]
    details: Value,
    /// How many times, where refusals are counted together.
    times: i32,
}

/// Events, and where the list goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminEvents)]
pub struct EventsView {
    events: Vec<EventView>,
    #[schema(required, example = json!(null))]
    next_cursor: Option<String>,
}

pub fn list_docs() -> Docs {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "format": "date-time" });
    Docs::new("admin_events", Tag::Administration, "See what happened.")
        .text("The newest first.")
        .bearer()
        .parameter(
            "query",
            "user",
            "About this account.",
            json!({ "type": "string", "format": "uuid" }),
            "",
        )
        .parameter("query", "kind", "Of this kind.", text.clone(), "account.locked")
        .parameter("query", "since", "Not older.", time, "2026-05-28T20:26:40Z")
        .parameter("query", "cursor", "Where the list goes on.", text, "")
        .limit_parameter(MOST)
        .answers(
            200,
            "The events.",
            &EventsView {
                events: vec![EventView::example()],
                next_cursor: None,
            },
        )
        .refuses([Rejection::Fields(FieldErrors::from([(
            "kind",
            vec![FilterError::Kind.to_string().into()],
        )]))])
        .administers(Role::Support)
        .limited("admin-per-user", 600, MINUTE)
        .unavailable()
}

/// Lists events.
pub async fn list(api: web::Data<Api>, request: HttpRequest, query: Query) -> Result<HttpResponse, ApiError> {
    let entered = enter(&api, &request, Role::Support).await?;
    Ok(HttpResponse::Ok().json(found(&api, &entered, query).await?))
}

/// The events that are asked for.
pub async fn found(api: &Api, entered: &Entered, mut query: Query) -> Result<EventsView, ApiError> {
    let (list, mut filter) = filter(api, &mut query)?;
    let limit = filter.limit as usize;
    filter.limit += 1;
    let mut events = api.admin.events(&entered.acting(None), &filter).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let last = events.last().filter(|_| has_more).map(|event| event.id);
    let list: Vec<_> = list.iter().map(String::as_str).collect();
    let keyring = &api.flows.codes.challenges.keyring;
    Ok(EventsView {
        next_cursor: last.map(|place| cursor(keyring, &list, &place)),
        events: events.into_iter().map(Into::into).collect(),
    })
}

/// Rows of a file at most.
const OF_A_FILE: u32 = 10_000;

/// All of them, the newest, for a file.
pub async fn every(api: &Api, entered: &Entered, mut query: Query) -> Result<Vec<EventView>, ApiError> {
    let (_, mut filter) = filter(api, &mut query)?;
    filter.limit = OF_A_FILE;
    let events = api.admin.events(&entered.acting(None), &filter).await?;
    Ok(events.into_iter().map(Into::into).collect())
}

/// What is asked for, and the list that its cursors belong to.
fn filter(api: &Api, query: &mut Query) -> Result<([String; 4], EventFilter), ApiError> {
    let mut faults = Faults::default();
    let user = faults.optional("user", query.take("user"), |text| {
        Uuid::parse_str(text).map_err(|_| FilterError::Id)
    });
    let kind = faults.optional("kind", query.take("kind"), |text| {
        EventKind::from_name(text).ok_or(FilterError::Kind)
    });
    let since = since(&mut faults, query);
    let list = [
        "events".to_owned(),
        user.map(|user| user.to_string()).unwrap_or_default(),
        kind.map_or("", EventKind::name).to_owned(),
        since.map(|since| since.to_rfc3339()).unwrap_or_default(),
    ];
    let keyring = &api.flows.codes.challenges.keyring;
    let before = faults.optional("cursor", query.take("cursor"), |text| {
        let list: Vec<_> = list.iter().map(String::as_str).collect();
        place::<Uuid>(keyring, &list, text)
    });
    let limit = faults.number("limit", query.take("limit"), 1..=i64::from(MOST));
    if !faults.is_empty() {
        return Err(faults.into_error());
    }
    let filter = EventFilter {
        user,
        kind,
        since,
        before,
        after: None,
        limit: limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(USUAL),
    };
    Ok((list, filter))
}

/// Reads `since`; in a query that nobody has encoded, `+01:00` arrives as ` 01:00`.
pub fn since(faults: &mut Faults, query: &mut Query) -> Option<DateTime<Utc>> {
    faults.optional("since", query.take("since"), |text| {
        DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .map(|time| time.to_utc())
            .map_err(|_| FilterError::Time)
    })
}

impl From<StoredEvent> for EventView {
    fn from(event: StoredEvent) -> Self {
        let StoredEvent {
            id,
            at,
            kind,
            actor,
            actor_id,
            user_id,
            network,
            reason,
            details,
            times,
        } = event;
        Self {
            id,
            at,
            kind,
            actor,
            actor_id,
            user_id,
            network,
            reason,
            details,
            times,
        }
    }
}

impl EventView {
    /// Its fields as texts, for a table.
    pub fn cells(&self) -> [String; 10] {
        let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        [
            self.id.to_string(),
            self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            self.kind.clone(),
            self.actor.clone(),
            id(self.actor_id),
            id(self.user_id),
            self.network.clone().unwrap_or_default(),
            self.reason.clone().unwrap_or_default(),
            self.details.to_string(),
            self.times.to_string(),
        ]
    }

    /// As the documents show it.
    pub fn example() -> Self {
        let user = Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8d9e);
        Self {
            id: Uuid::from_u128(0x0199_a2f4_6c1e_7b52_9d3e_4f5a_6b7c_8da0),
            at: DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default(),
            kind: EventKind::AccountLocked.name().to_owned(),
            actor: "administrator".to_owned(),
            actor_id: Some(user),
            user_id: Some(user),
            network: Some("203.0.113.0/24".to_owned()),
            reason: Some("The owner called.".to_owned()),
            details: json!({}),
            times: 1,
        }
    }
}
