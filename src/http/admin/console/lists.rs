//! Lists: events, and messages.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{
    enter::{Inside, enter},
    form::Refusal,
};
use crate::{
    events::EventKind,
    http::{
        admin::{
            events::{self, EventsView},
            verifications::{self, VerificationView},
        },
        api::Api,
        kit::{
            extract::Query,
            problem::{ApiError, Shown},
        },
    },
    phone::Country,
    provider::DeliveryStatus,
    tokens::Role,
};

/// Shows events.
pub async fn events(
    api: web::Data<Api>,
    request: HttpRequest,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let filter = query.shown(&EVENT_FILTER);
    match events::found(&api, &inside.entered, query.without_empty()).await {
        Ok(found) => {
            let page = events_page(&api, &request, &inside, filter, Ok(found));
            Ok(page.answer())
        }
        Err(error) => {
            let again = events_page(&api, &request, &inside, filter, Err(&error));
            Err(error.shown_as(again))
        }
    }
}

/// What events are looked for by.
pub const EVENT_FILTER: [&str; 3] = ["user", "kind", "since"];

/// Events by a filter, or what is wrong with it.
pub fn events_page(
    api: &Api,
    request: &HttpRequest,
    inside: &Inside,
    filter: Value,
    found: Result<EventsView, &ApiError>,
) -> Shown {
    let refusal = found.as_ref().err();
    let refusal = refusal.map_or_else(Refusal::none, |error| Refusal::of(error, json!({})));
    let kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    let own = json!({ "filter": filter, "found": found.ok(), "kinds": kinds, "fault": refusal.fault });
    inside.page(api, request, refusal.status, ("events.html", "events"), own)
}

/// Shows what became of messages.
pub async fn messages(
    api: web::Data<Api>,
    request: HttpRequest,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let inside = enter(&api, &request, Role::Support).await?;
    let filter = query.shown(&["user", "country", "state"]);
    let query = query.with("country", letters_of).without_empty();
    let found = verifications::found(&api, &inside.entered, query).await;
    let states = DeliveryStatus::ALL.map(DeliveryStatus::name);
    let page = ("messages.html", "messages");
    match found {
        Ok(found) => {
            let rows: Vec<_> = found.verifications.into_iter().map(in_words).collect();
            let own =
                json!({ "filter": filter, "rows": rows, "next_cursor": found.next_cursor, "states": states });
            Ok(inside.page(&api, &request, StatusCode::OK, page, own).answer())
        }
        Err(error) => {
            let Refusal { status, fault, .. } = Refusal::of(&error, json!({}));
            let own = json!({ "filter": filter, "states": states, "fault": fault });
            let again = inside.page(&api, &request, status, page, own);
            Err(error.shown_as(again))
        }
    }
}

/// The two letters of a country that was typed, where it is one; what was typed, where it is none.
pub fn letters_of(typed: &str) -> String {
    Country::named(typed).map_or_else(|| typed.to_owned(), |country| country.to_string())
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
