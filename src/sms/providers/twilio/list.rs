//! Whether Twilio has a message, by its list of the messages to a number
//! (<https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources>): the newest first,
//! with filters by `To`, `From` and the date of sending.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use url::Url;

use crate::{provider::LookupResult, sms::SmsMessage, wire};

/// Messages a page: so few that it stays within the bound of an answer, more than one phone may be sent in a day.
const PAGE_SIZE: &str = "20";
/// How far Twilio's clock may be behind ours. A code stands for its message whenever it was sent, so that this may be
/// generous; it is cut short only by other messages with the same digits, which are one in a million.
const SKEW: TimeDelta = TimeDelta::minutes(5);
/// The same where an account keeps no texts, and the time alone tells: less than two sends to a phone are apart.
const SKEW_WITHOUT_TEXT: TimeDelta = TimeDelta::seconds(2);
/// Fewer digits in a row are no code.
const LEAST_DIGITS: usize = 6;

/// What a page tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    Told(LookupResult),
    /// The message may be on the next page, which this token and number name.
    More(Next),
}

/// The parameters of the next page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    page: String,
    token: String,
}

/// Makes the URL of the messages that of the first page.
pub(super) fn ask(messages: &mut Url, message: &SmsMessage) {
    messages
        .query_pairs_mut()
        .clear()
        .append_pair("To", message.to.expose())
        .append_pair("PageSize", PAGE_SIZE);
}

/// Makes it that of the next page. Of the address that an answer names only its parameters are taken: the credentials
/// go nowhere else.
pub(super) fn turn(messages: &mut Url, message: &SmsMessage, next: &Next) {
    ask(messages, message);
    messages
        .query_pairs_mut()
        .append_pair("Page", &next.page)
        .append_pair("PageToken", &next.token);
}

/// Looks for a message that was created at `since` or later.
pub(super) fn look_through(document: &Value, message: &SmsMessage, since: DateTime<Utc>) -> Page {
    let Some(listed) = document["messages"].as_array() else {
        return Page::Told(LookupResult::Unknown);
    };
    let mut has_older = false;
    for item in listed.iter().filter(|item| item["to"] == message.to.expose()) {
        let Some(created) = created(item) else {
            return Page::Told(LookupResult::Unknown);
        };
        let text = item["body"].as_str().unwrap_or_default();
        let is_it = if text.is_empty() {
            created + SKEW_WITHOUT_TEXT >= since
        } else {
            created + SKEW >= since && carries_the_code_of(message.body.expose(), text)
        };
        if is_it {
            return Page::Told(LookupResult::Taken {
                provider_id: wire::plausible_id(&item["sid"]),
            });
        }
        has_older |= created + SKEW < since;
    }
    match next_page(document) {
        // The newest come first.
        _ if has_older => Page::Told(LookupResult::NotTaken),
        Ok(None) => Page::Told(LookupResult::NotTaken),
        Ok(Some(next)) => Page::More(next),
        Err(()) => Page::Told(LookupResult::Unknown),
    }
}

/// The date, such as `Thu, 24 Aug 2023 05:01:45 +0000`: whole seconds.
fn created(item: &Value) -> Option<DateTime<Utc>> {
    let date = item["date_created"].as_str()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.to_utc())
}

/// Whether every number in our text that may be a code stands in theirs: a text that is written anew differs in the
/// minutes that are left, and Twilio puts words of its own before those of a trial account.
fn carries_the_code_of(ours: &str, theirs: &str) -> bool {
    let mut codes = runs(ours).peekable();
    match codes.peek() {
        Some(_) => codes.all(|code| runs(theirs).any(|run| run == code)),
        None => ours == theirs,
    }
}

/// The runs of digits that are long enough.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_digit())
        .filter(|run| run.len() >= LEAST_DIGITS)
}

/// The next page, if there is one; an error where it cannot be read.
fn next_page(document: &Value) -> Result<Option<Next>, ()> {
    let uri = match &document["next_page_uri"] {
        Value::Null => return Ok(None),
        Value::String(uri) => uri,
        _ => return Err(()),
    };
    let (_, query) = uri.split_once('?').ok_or(())?;
    let value = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let found = pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned());
        found.ok_or(())
    };
    Ok(Some(Next {
        page: value("Page")?,
        token: value("PageToken")?,
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeZone;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{channel::MessageText, phone::PhoneNumber};

    const TO: &str = "+14152000001";

    fn message() -> SmsMessage {
        SmsMessage {
            reference: Uuid::nil(),
            to: PhoneNumber::from_stored(TO.to_owned()),
            body: MessageText::new("Agency 415415 code: 123456. It expires in 10 minutes.".to_owned()),
            valid_for: Duration::from_secs(600),
        }
    }

    /// Thursday, 24 August 2023, 05:01:45.
    fn since() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2023, 8, 24, 5, 1, 45).unwrap()
    }

    fn item(to: &str, seconds_later: i64, body: &str) -> Value {
        let created = since() + TimeDelta::seconds(seconds_later);
        json!({"sid": "SM1", "to": to, "date_created": created.to_rfc2822(), "date_sent": null, "body": body})
    }

    fn told(document: &Value) -> Option<LookupResult> {
        match look_through(document, &message(), since()) {
            Page::Told(found) => Some(found),
            Page::More(_) => None,
        }
    }

    fn alone(item: Value) -> LookupResult {
        told(&json!({"messages": [item], "next_page_uri": null})).unwrap()
    }

    #[test]
    fn a_message_is_known_by_number_time_and_code() {
        let taken = LookupResult::Taken {
            provider_id: "SM1".to_owned(),
        };
        let text = "Sent from a trial account - Agency 415415 code: 123456. It expires in 9 minutes.";
        for seconds in [0, 60, -1, -299] {
            assert_eq!(alone(item(TO, seconds, text)), taken, "{seconds}");
        }
        for other in [
            item(TO, -301, text),
            item("+14152000002", 0, text),
            item(TO, 0, "Agency 415415 code: 654321."),
            item(TO, 0, "Agency 415415 code: 1234567."),
            item(TO, 0, "Agency code: 123456."),
        ] {
            assert_eq!(alone(other.clone()), LookupResult::NotTaken, "{other}");
        }
    }

    #[test]
    fn where_no_text_is_kept_the_time_decides() {
        let taken = |seconds| matches!(alone(item(TO, seconds, "")), LookupResult::Taken { .. });
        assert!(taken(0) && taken(-1) && taken(30));
        assert!(!taken(-60));
        let mut bodiless = item(TO, 0, "");
        bodiless["body"] = Value::Null;
        assert!(matches!(alone(bodiless), LookupResult::Taken { .. }));
    }

    #[test]
    fn what_cannot_be_read_tells_nothing() {
        let mut undated = item(TO, 0, "x");
        undated["date_created"] = json!("yesterday");
        for garbage in [
            Value::Null,
            json!([]),
            json!({"messages": {}}),
            json!({"messages": [undated]}),
            json!({"messages": [], "next_page_uri": 7}),
            json!({"messages": [], "next_page_uri": "https://elsewhere.example"}),
            json!({"messages": [], "next_page_uri": "/x?Page=1"}),
        ] {
            assert_eq!(told(&garbage), Some(LookupResult::Unknown), "{garbage}");
        }
    }

    #[test]
    fn the_next_page_is_asked_for_until_messages_are_older() {
        let next = "https://elsewhere.example/x?PageSize=9&Page=1&PageToken=PASM%2B1";
        let young = item(TO, 9, "Agency 415415 code: 654321.");
        let page = json!({"messages": [young], "next_page_uri": next});
        let Page::More(next) = look_through(&page, &message(), since()) else {
            panic!("no next page");
        };
        let mut url = Url::parse("https://api.twilio.com/Messages.json").unwrap();
        turn(&mut url, &message(), &next);
        assert_eq!(
            url.as_str(),
            "https://api.twilio.com/Messages.json?To=%2B14152000001&PageSize=20&Page=1&PageToken=PASM%2B1"
        );
        let old = item(TO, -301, "Agency 415415 code: 654321.");
        let page = json!({"messages": [old], "next_page_uri": "/x?Page=1&PageToken=y"});
        assert_eq!(told(&page), Some(LookupResult::NotTaken));
        assert_eq!(told(&json!({"messages": []})), Some(LookupResult::NotTaken));
    }
}
