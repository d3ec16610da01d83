//! `GET …/Messages.json` and `GET …/Messages/{sid}.json`: what became of messages.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde_json::json;
use tokio::time::sleep;
use url::form_urlencoded;

use super::{
    Sim,
    answers::{MessageView, Refusal, not_found, token},
    line,
    messages::outcome,
};
use crate::{message::Message, profile::On};

const PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 1000;

/// The messages of an account, the newest first, page by page.
pub async fn list(sim: web::Data<Sim>, account: web::Path<String>, request: HttpRequest) -> HttpResponse {
    let query = match Query::parse(request.query_string()) {
        Ok(query) => query,
        Err(refusal) => return refusal.answer(),
    };
    let to = query.to.clone().unwrap_or_default();
    look(&sim, &account, &to, &request, || Ok(query.page(&sim, &account))).await
}

/// One message.
pub async fn fetch(
    sim: web::Data<Sim>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> HttpResponse {
    let (account, sid) = path.into_inner();
    let message = sid_of(&sid, "SM").and_then(|id| sim.book.find(id));
    let message = message.filter(|message| message.account == account);
    let to = message
        .as_ref()
        .map(|message| message.to.clone())
        .unwrap_or_default();
    look(&sim, &account, &to, &request, || match message {
        Some(message) => Ok(MessageView::json(&message, sim.clock.now())),
        None => Err(not_found(request.path())),
    })
    .await
}

/// What both do before and after: credentials, faults, delay, counts.
async fn look(
    sim: &Sim,
    account: &str,
    to: &str,
    request: &HttpRequest,
    find: impl FnOnce() -> Result<Vec<u8>, Refusal>,
) -> HttpResponse {
    if let Err(refusal) = token(sim, request, account) {
        sim.book.count_lookup(&format!("error {}", refusal.code));
        return refusal.answer();
    }
    let mut dice = sim.roll(On::Lookup, to);
    let profile = sim.profile();
    let fault = profile.fault(On::Lookup, to, &mut dice);
    let delay = profile.delay.map(|delay| delay.draw(&mut dice));
    if let Some(delay) = delay {
        sleep(delay).await;
    }
    let found = match find() {
        Ok(found) => found,
        Err(refusal) => {
            sim.book.count_lookup(&format!("error {}", refusal.code));
            return refusal.answer();
        }
    };
    match fault {
        Some(fault) => {
            sim.book.count_lookup(&outcome(Some(fault)));
            line::spoil(request, fault, || (StatusCode::OK, found)).await
        }
        None => {
            sim.book.count_lookup("answered");
            HttpResponse::Ok().content_type("application/json").body(found)
        }
    }
}

#[derive(Default)]
struct Query {
    to: Option<String>,
    from: Option<String>,
    /// The times of sending that are asked for: from the first on, before the second.
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    page: usize,
    size: usize,
    /// The last message of the page before.
    after: Option<u128>,
}

impl Query {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let mut query = Self {
            size: PAGE_SIZE,
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let wrong = || Refusal::new(400, 20001, format!("Invalid {name}"));
            match name.as_ref() {
                "To" => query.to = Some(number(&value)),
                "From" => query.from = Some(number(&value)),
                "DateSent" => {
                    let (since, until) = span(&value).ok_or_else(wrong)?;
                    (query.since, query.until) = (Some(since), Some(until));
                }
                "DateSent>" => query.since = Some(span(&value).ok_or_else(wrong)?.0),
                "DateSent<" => query.until = Some(span(&value).ok_or_else(wrong)?.1),
                "PageSize" => query.size = value.parse().map_err(|_| wrong())?,
                "Page" => query.page = value.parse().map_err(|_| wrong())?,
                "PageToken" => query.after = Some(sid_of(&value, "PASM").ok_or_else(wrong)?),
                _ => {}
            }
        }
        query.size = query.size.clamp(1, MAX_PAGE_SIZE);
        Ok(query)
    }

    fn wants(&self, account: &str, message: &Message, now: DateTime<Utc>) -> bool {
        // As at Twilio, a filter by the date hides what isn't sent yet.
        let sent = message.standing(now).sent_at;
        message.account == account
            && (self.from.is_none() || self.from == message.from)
            && self
                .since
                .is_none_or(|since| sent.is_some_and(|sent| sent >= since))
            && self
                .until
                .is_none_or(|until| sent.is_some_and(|sent| sent < until))
    }

    fn page(&self, sim: &Sim, account: &str) -> Vec<u8> {
        let now = sim.clock.now();
        // One more, to know whether there is a next page.
        let mut found = sim
            .book
            .list(self.to.as_deref(), self.after, self.size + 1, |message| {
                self.wants(account, message, now)
            });
        let more = found.len() > self.size;
        found.truncate(self.size);
        let sids: Vec<_> = found.iter().map(|message| message.sid()).collect();
        let messages: Vec<_> = found
            .iter()
            .zip(&sids)
            .map(|(message, sid)| MessageView::new(message, sid, now))
            .collect();
        let start = self.page * self.size;
        let next = sids.last().filter(|_| more);
        let page = json!({
            "first_page_uri": self.uri(account, 0, None),
            "next_page_uri": next.map(|sid| self.uri(account, self.page + 1, Some(sid))),
            "previous_page_uri": null,
            "uri": self.uri(account, self.page, None),
            "page": self.page,
            "page_size": self.size,
            "start": start,
            "end": start + found.len().saturating_sub(1),
            "messages": messages,
        });
        serde_json::to_vec(&page).unwrap_or_default()
    }

    fn uri(&self, account: &str, page: usize, after: Option<&String>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("To", &self.to), ("From", &self.from)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        for (name, time) in [("DateSent>", self.since), ("DateSent<", self.until)] {
            if let Some(time) = time {
                query.append_pair(name, &time.to_rfc3339());
            }
        }
        query.append_pair("PageSize", &self.size.to_string());
        query.append_pair("Page", &page.to_string());
        if let Some(sid) = after {
            query.append_pair("PageToken", &format!("PA{sid}"));
        }
        format!("/2010-04-01/Accounts/{account}/Messages.json?{}", query.finish())
    }
}

/// A sid's 128 bits.
fn sid_of(text: &str, prefix: &str) -> Option<u128> {
    let hex = text.strip_prefix(prefix).filter(|hex| hex.len() == 32)?;
    u128::from_str_radix(hex, 16).ok()
}

/// A day or a moment in UTC: from when on, and until before when.
fn span(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        let start = day.and_time(NaiveTime::MIN).and_utc();
        return Some((start, start.checked_add_days(Days::new(1))?));
    }
    let moment = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    Some((moment, moment))
}

/// A `+` that wasn't encoded is a blank by now.
pub fn number(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(digits) => format!("+{digits}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_spans() {
        let of = |text| span(text).map(|(since, until)| (since.to_rfc3339(), (until - since).num_hours()));
        assert_eq!(
            of("2026-11-01"),
            Some(("2026-11-01T00:00:00+00:00".to_owned(), 24))
        );
        assert_eq!(
            of("2026-11-01T10:00:00Z"),
            Some(("2026-11-01T10:00:00+00:00".to_owned(), 0))
        );
        assert_eq!(of("yesterday"), None);
    }

    #[test]
    fn queries_that_mean_nothing_are_refused() {
        for text in [
            "DateSent=x",
            "DateSent%3E=1",
            "PageSize=x",
            "Page=-1",
            "PageToken=PASM1",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        let query = Query::parse("To=+1415&PageSize=5000&DateSent%3E=2026-11-01").unwrap();
        assert_eq!((query.to.as_deref(), query.size), (Some("+1415"), MAX_PAGE_SIZE));
        assert!(query.since.is_some() && query.until.is_none());
    }
}
