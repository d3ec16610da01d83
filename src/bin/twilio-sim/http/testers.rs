//! What testers ask for: a page, JSON, other faults, and a new beginning.

use std::sync::{LazyLock, atomic::Ordering};

use actix_web::{Error, HttpResponse, web};
use chrono::{DateTime, Utc};
use ringback::http::Page;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Sim, lookup::number};
use crate::profile::Profile;

const MESSAGES: usize = 100;

/// The messages, as a page that keeps itself fresh.
pub async fn page() -> HttpResponse {
    static PAGE: LazyLock<Page> = LazyLock::new(|| Page::new(include_str!("page.html")));
    PAGE.answer()
}

#[derive(Deserialize)]
pub struct Wanted {
    to: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct MessageLine {
    sid: String,
    to: String,
    from: Option<String>,
    body: String,
    status: &'static str,
    error_code: Option<u32>,
    at: DateTime<Utc>,
}

/// The messages that were taken, the newest first.
pub async fn messages(sim: web::Data<Sim>, wanted: web::Query<Wanted>) -> HttpResponse {
    let to = wanted.to.as_deref().map(number);
    let limit = wanted.limit.unwrap_or(MESSAGES);
    let now = sim.clock.now();
    let found = sim.book.list(to.as_deref(), None, limit, |_| true);
    let lines: Vec<_> = found
        .iter()
        .map(|message| {
            let standing = message.standing(now);
            MessageLine {
                sid: message.sid(),
                to: message.to.clone(),
                from: message.from.clone().or_else(|| message.service.clone()),
                body: message.body.clone(),
                status: standing.status,
                error_code: standing.error,
                at: message.at,
            }
        })
        .collect();
    HttpResponse::Ok().json(lines)
}

/// What happened so far, in numbers.
pub async fn stats(sim: web::Data<Sim>) -> HttpResponse {
    let receipts = &sim.book.receipts;
    let mut stats = json!(sim.book.counts());
    stats["receipts"] = json!({
        "posted": receipts.posted.load(Ordering::Relaxed),
        "refused": receipts.refused.load(Ordering::Relaxed),
        "given_up": receipts.given_up.load(Ordering::Relaxed),
        "dropped": receipts.dropped.load(Ordering::Relaxed),
        "pending": receipts.pending.load(Ordering::Relaxed),
    });
    HttpResponse::Ok().json(stats)
}

/// Forgets messages, counts and luck; the profile stays.
pub async fn reset(sim: web::Data<Sim>) -> HttpResponse {
    sim.reset();
    HttpResponse::NoContent().finish()
}

/// The profile in force.
pub async fn faults(sim: web::Data<Sim>) -> HttpResponse {
    HttpResponse::Ok().json(sim.profile().as_ref())
}

#[derive(Deserialize)]
pub struct Named {
    profile: Option<String>,
}

/// Another profile: the body's, or the one that the query names (`chaos`, `none`).
pub async fn set_faults(
    sim: web::Data<Sim>,
    named: web::Query<Named>,
    body: Result<web::Bytes, Error>,
) -> HttpResponse {
    let profile = match (named.profile.as_deref(), body) {
        (Some("chaos"), _) => Ok(Profile::chaos()),
        (Some("none"), _) => Ok(Profile::default()),
        (Some(other), _) => Err(format!("no profile {other:?}: chaos or none")),
        (None, Ok(body)) => Profile::from_json(&body),
        (None, Err(error)) => Err(error.to_string()),
    };
    match profile {
        Ok(profile) => {
            sim.set_profile(profile);
            HttpResponse::NoContent().finish()
        }
        Err(fault) => HttpResponse::BadRequest().json(json!({ "fault": fault })),
    }
}
