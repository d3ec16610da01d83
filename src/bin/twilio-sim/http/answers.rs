//! Answers as Twilio words them.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::Sim;
use crate::message::Message;

/// A refusal: `{code, message, more_info, status}`.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: u32,
    pub message: Cow<'static, str>,
}

impl Refusal {
    pub fn new(status: u16, code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// One that a profile or a magic number asks for.
    pub fn simulated(status: u16, code: u32) -> Self {
        let message = match code {
            20003 => "Authenticate",
            20429 => "Too Many Requests",
            20500 => "An internal server error has occurred",
            20503 => "Service unavailable",
            21211 => "Invalid 'To' Phone Number",
            21212 => "Invalid From Number",
            21408 => {
                "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"
            }
            21606 => "The 'From' phone number provided is not a valid message-capable Twilio phone number",
            21610 => "Attempt to send to unsubscribed recipient",
            21611 => "This 'From' number has exceeded the maximum number of queued messages",
            21612 => "Message cannot be sent with the current combination of 'To' and/or 'From' parameters",
            21614 => "'To' number is not a valid mobile number",
            63038 => "Account exceeded the daily messages limit",
            _ => "Simulated",
        };
        Self::new(status, code, message)
    }

    pub fn answer(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = HttpResponse::build(status);
        if self.status == 401 {
            answer.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"Twilio API\""));
        }
        answer.json(json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        }))
    }
}

/// The answer to whatever has no resource.
pub async fn nothing_here(request: HttpRequest) -> HttpResponse {
    not_found(request.path()).answer()
}

pub fn not_found(path: &str) -> Refusal {
    Refusal::new(404, 20404, format!("The requested resource {path} was not found"))
}

/// The token of a call for this account, if both are right: any are, where no account is named at the start.
pub fn token(sim: &Sim, request: &HttpRequest, account: &str) -> Result<String, Refusal> {
    let refused = || Refusal::simulated(401, 20003);
    let (user, token) = basic(request).ok_or_else(refused)?;
    let right = match &sim.credentials {
        Some(known) => account == known.account && user == known.account && token == known.token,
        None => !user.is_empty() && !token.is_empty(),
    };
    right.then_some(token).ok_or_else(refused)
}

fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, token) = decoded.split_once(':')?;
    Some((user.to_owned(), token.to_owned()))
}

/// A message as the resource shows it.
#[derive(Serialize)]
pub struct MessageView<'a> {
    account_sid: &'a str,
    api_version: &'static str,
    body: &'a str,
    date_created: String,
    date_sent: Option<String>,
    date_updated: String,
    direction: &'static str,
    error_code: Option<u32>,
    error_message: Option<&'static str>,
    from: Option<&'a str>,
    messaging_service_sid: Option<&'a str>,
    num_media: &'static str,
    num_segments: String,
    price: Option<String>,
    price_unit: &'static str,
    sid: &'a str,
    status: &'static str,
    subresource_uris: Value,
    to: &'a str,
    uri: String,
}

impl<'a> MessageView<'a> {
    pub fn new(message: &'a Message, sid: &'a str, now: DateTime<Utc>) -> Self {
        let standing = message.standing(now);
        let uri = format!("/2010-04-01/Accounts/{}/Messages/{sid}", message.account);
        let sent = standing.sent_at.is_some();
        // A Messaging Service tells it later.
        let segments = if sent || message.service.is_none() {
            message.segments()
        } else {
            0
        };
        Self {
            account_sid: &message.account,
            api_version: "2010-04-01",
            body: &message.body,
            date_created: date(message.at),
            date_sent: standing.sent_at.map(date),
            date_updated: date(standing.since),
            direction: "outbound-api",
            error_code: standing.error,
            error_message: standing.error.map(|_| "Simulated"),
            from: message.from.as_deref(),
            messaging_service_sid: message.service.as_deref(),
            num_media: "0",
            num_segments: segments.to_string(),
            price: sent.then(|| format!("-{:.5}", message.price())),
            price_unit: "USD",
            sid,
            status: standing.status,
            subresource_uris: json!({ "media": format!("{uri}/Media.json") }),
            to: &message.to,
            uri: format!("{uri}.json"),
        }
    }

    /// As an answer's body.
    pub fn json(message: &Message, now: DateTime<Utc>) -> Vec<u8> {
        let sid = message.sid();
        serde_json::to_vec(&MessageView::new(message, &sid, now)).unwrap_or_default()
    }
}

fn date(time: DateTime<Utc>) -> String {
    time.to_rfc2822()
}
