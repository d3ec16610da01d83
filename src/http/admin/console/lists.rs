//! Lists: events, and messages.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{enter::enter, error::ConsoleError, page::page};
use crate::{
    events::EventKind,
    http::{
        admin::{
            events,
            verifications::{self, VerificationView},
        },
        api::Api,
        kit::extract::Query,
    },
    provider::DeliveryStatus,
    tokens::Role,
};

/// Shows events.
pub async fn events(
    api: web::Data<Api>,
    request: HttpRequest,
    query: Query,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let shown = query.shown(&["user", "kind", "since"]);
    let found = events::found(&api, &inside.entered, query.without_empty()).await;
    let found = found.map_err(ConsoleError::Problem)?;
    let kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    let own = json!({ "filter": shown, "found": found, "kinds": kinds });
    Ok(page(
        StatusCode::OK,
        "events.html",
        &inside.values(&api, "events", own),
    ))
}

/// Shows what became of messages.
pub async fn messages(
    api: web::Data<Api>,
    request: HttpRequest,
    query: Query,
) -> Result<HttpResponse, ConsoleError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let shown = query.shown(&["user", "country", "state"]);
    let found = verifications::found(&api, &inside.entered, query.without_empty()).await;
    let found = found.map_err(ConsoleError::Problem)?;
    let states = DeliveryStatus::ALL.map(DeliveryStatus::name);
    let rows: Vec<_> = found.verifications.into_iter().map(in_words).collect();
    let own = json!({ "filter": shown, "rows": rows, "next_cursor": found.next_cursor, "states": states });
    Ok(page(
        StatusCode::OK,
        "messages.html",
        &inside.values(&api, "messages", own),
    ))
}

/// A row with its error in words, where the code of the provider is a well-known one.
pub fn in_words(row: VerificationView) -> Value {
    let error = row.error_code().and_then(error_in_words);
    let mut row = json!(row);
    row["error"] = error.into();
    row
}

/// What Twilio's most frequent codes mean.
fn error_in_words(code: i64) -> Option<&'static str> {
    Some(match code {
        21_211 | 21_614 => "not a number that takes SMS",
        21_408 => "the country is not enabled at the provider",
        21_610 => "the recipient has answered STOP",
        30_003 => "the phone can't be reached: switched off, or out of coverage",
        30_004 => "the carrier or the recipient blocks it",
        30_005 => "the number doesn't exist",
        30_006 => "a landline, or a carrier that can't be reached",
        30_007 => "the carrier took it for spam",
        30_008 => "the carrier gave no reason",
        30_034 => "the sender is not registered with the carriers (A2P 10DLC)",
        _ => return None,
    })
}
