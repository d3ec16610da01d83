//! `POST …/Messages.json`: an SMS is taken, or not.

use actix_web::{Error, HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    Sim,
    answers::{MessageView, Refusal, token},
    line,
    lookup::number,
};
use crate::{
    message::Message,
    profile::{Fault, On, What},
    receipts::{Callback, Postman},
};

/// Signs that a message may have.
const MAX_BODY: usize = 1600;

/// What Ringback sends of Twilio's parameters; others are taken and forgotten.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Form {
    to: Option<String>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: Option<String>,
    validity_period: Option<String>,
    status_callback: Option<String>,
}

pub async fn create(
    sim: web::Data<Sim>,
    postman: web::Data<Postman>,
    account: web::Path<String>,
    request: HttpRequest,
    form: Result<web::Form<Form>, Error>,
) -> HttpResponse {
    let form = form.map_err(|error| Refusal::new(400, 20001, format!("No form: {error}")));
    let checked = token(&sim, &request, &account).and_then(|token| Ok((token, form?.into_inner().check()?)));
    let (token, form) = match checked {
        Ok(checked) => checked,
        Err(refusal) => {
            sim.book.count_send(&format!("error {}", refusal.code));
            return refusal.answer();
        }
    };
    let mut dice = sim.roll(On::Send, &form.to);
    let profile = sim.profile();
    let fault = profile.fault(On::Send, &form.to, &mut dice);
    let delay = profile.delay.map(|delay| delay.draw(&mut dice));
    sim.book.count_send(&outcome(fault));

    let taken = fault.is_none_or(|fault| fault.taken || fault.what == What::Drip);
    let message = taken.then(|| {
        let fate = profile.fate(&form.to, &mut dice);
        let id = (u128::from(dice.number()) << 64) | u128::from(dice.number());
        let message = sim.book.add(Message {
            id,
            account: account.into_inner(),
            from: form.from,
            service: form.service,
            to: form.to,
            body: form.body,
            at: sim.clock.now(),
            fate,
        });
        if let Some(url) = form.callback {
            postman.announce(&message, Callback { url, token });
        }
        message
    });
    // It was taken already: a caller who is killed now has sent it.
    if let Some(delay) = delay {
        sleep(delay).await;
    }
    let good = || {
        let body = message.map(|message| MessageView::json(&message, message.at));
        (StatusCode::CREATED, body.unwrap_or_default())
    };
    match fault {
        Some(fault) => line::spoil(&request, fault, good).await,
        None => {
            let (status, body) = good();
            HttpResponse::build(status)
                .content_type("application/json")
                .body(body)
        }
    }
}

/// What the counts call it.
pub fn outcome(fault: Option<&Fault>) -> String {
    let Some(fault) = fault else {
        return "accepted".to_owned();
    };
    let what = match fault.what {
        What::Error => format!(
            "error {}",
            fault.code.unwrap_or_else(|| fault.status.unwrap_or(400).into())
        ),
        What::Garbage => "garbage".to_owned(),
        What::Hang => "hang".to_owned(),
        What::Cut => "cut".to_owned(),
        What::Reset => "reset".to_owned(),
        What::Drip => "drip".to_owned(),
    };
    if fault.taken { what + ", taken" } else { what }
}

/// A form that makes a message.
struct Checked {
    to: String,
    from: Option<String>,
    service: Option<String>,
    body: String,
    callback: Option<String>,
}

impl Form {
    fn check(self) -> Result<Checked, Refusal> {
        let refuse = |code, message: &'static str| Err(Refusal::new(400, code, message));
        let given = |field: Option<String>| field.filter(|text| !text.is_empty());
        let Some(to) = given(self.to).map(|to| number(&to)) else {
            return refuse(21604, "A 'To' phone number is required.");
        };
        let (from, service) = (
            given(self.from).map(|from| number(&from)),
            given(self.messaging_service_sid),
        );
        if from.is_none() && service.is_none() {
            return refuse(21603, "A 'From' phone number is required.");
        }
        let Some(body) = given(self.body) else {
            return refuse(21602, "Message body is required.");
        };
        if body.chars().count() > MAX_BODY {
            return refuse(
                21617,
                "The concatenated message body exceeds the 1600 character limit",
            );
        }
        if !is_number(&to) {
            return Err(Refusal::new(
                400,
                21211,
                format!("Invalid 'To' Phone Number: {to}"),
            ));
        }
        let magic = magic_to(&to).or(from.as_deref().and_then(magic_from));
        if let Some(code) = magic {
            return Err(Refusal::simulated(400, code));
        }
        if let Some(period) = given(self.validity_period) {
            let seconds = period.parse::<u32>();
            if !seconds.is_ok_and(|seconds| (1..=36_000).contains(&seconds)) {
                return refuse(90007, "Invalid validity period value");
            }
        }
        let callback = given(self.status_callback);
        if callback.as_deref().is_some_and(|url| !is_url(url)) {
            return refuse(21609, "The 'StatusCallback' URL is not a valid URL");
        }
        Ok(Checked {
            to,
            from,
            service,
            body,
            callback,
        })
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_url(text: &str) -> bool {
    let url = url::Url::parse(text);
    url.is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}

/// Numbers that Twilio refuses with test credentials (<https://www.twilio.com/docs/iam/test-credentials>).
fn magic_to(number: &str) -> Option<u32> {
    match number {
        "+15005550001" => Some(21211),
        "+15005550002" => Some(21612),
        "+15005550003" => Some(21408),
        "+15005550004" => Some(21610),
        "+15005550009" => Some(21614),
        _ => None,
    }
}

fn magic_from(number: &str) -> Option<u32> {
    match number {
        "+15005550001" => Some(21212),
        "+15005550007" => Some(21606),
        "+15005550008" => Some(21611),
        _ => None,
    }
}
