//! The Messages resource: taken, refused, looked up.

use std::time::Duration;

use chrono::DateTime;
use ringback::{
    channel::MessageText,
    phone::{PhoneCheck, PhoneNumber},
    provider::{LookupResult, Outcome, Provider},
    sms::{SmsMessage, Twilio, TwilioOptions},
};
use serde_json::{Value, json};
use uuid::Uuid;

use support::simulator::{ACCOUNT, Simulator, TOKEN, until};

const TO: &str = "+14152000001";

#[tokio::test]
async fn a_message_is_answered_as_twilio_does() {
    let sim = Simulator::start(&[]);
    let sent = sim.text(TO, "Ringback code: 123456.").await;
    let sid = sent["sid"].as_str().unwrap();
    assert_eq!((&sid[..2], sid.len()), ("SM", 34));
    assert!(DateTime::parse_from_rfc2822(sent["date_created"].as_str().unwrap()).is_ok());
    for (field, value) in [
        ("account_sid", json!(ACCOUNT)),
        ("api_version", json!("2010-04-01")),
        ("body", json!("Ringback code: 123456.")),
        ("date_sent", Value::Null),
        ("direction", json!("outbound-api")),
        ("error_code", Value::Null),
        ("from", json!("+15005550006")),
        ("messaging_service_sid", Value::Null),
        ("num_segments", json!("1")),
        ("status", json!("queued")),
        ("to", json!(TO)),
        (
            "uri",
            json!(format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json")),
        ),
    ] {
        assert_eq!(sent[field], value, "{field}");
    }
    let uri = sent["uri"].as_str().unwrap();
    let delivered = async || sim.ask(uri).await.json::<Value>().await.unwrap()["status"] == "delivered";
    until("delivered", delivered).await;
    let found: Value = sim.ask(uri).await.json().await.unwrap();
    assert_eq!(
        (&found["price"], &found["sid"]),
        (&json!("-0.00830"), &json!(sid))
    );
    assert!(DateTime::parse_from_rfc2822(found["date_sent"].as_str().unwrap()).is_ok());

    let service = [("To", TO), ("MessagingServiceSid", "MG1"), ("Body", "x")];
    let sent: Value = sim.send(&service).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&sent["status"], &sent["from"], &sent["messaging_service_sid"]),
        (&json!("accepted"), &Value::Null, &json!("MG1"))
    );
}

#[tokio::test]
async fn refusals_are_twilios() {
    let sim = Simulator::start(&["--account", ACCOUNT, "--token", TOKEN]);
    let good = [("To", TO), ("From", "+15005550006"), ("Body", "x")];
    let with = |changed: &[(&'static str, &'static str)]| {
        let kept = good
            .into_iter()
            .filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
        let all = kept.chain(changed.iter().copied());
        all.filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>()
    };
    for (changed, code) in [
        (&[("To", "")][..], 21604),
        (&[("From", "")], 21603),
        (&[("Body", "")], 21602),
        (&[("To", "+1")], 21211),
        (&[("To", "nobody")], 21211),
        (&[("To", "+15005550001")], 21211),
        (&[("To", "+15005550009")], 21614),
        (&[("From", "+15005550008")], 21611),
        (&[("ValidityPeriod", "36001")], 90007),
        (&[("StatusCallback", "nowhere")], 21609),
    ] {
        let refused = sim.send(&with(changed)).await.unwrap();
        assert_eq!(refused.status(), 400, "{changed:?}");
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(
            (&refused["code"], &refused["status"]),
            (&json!(code), &json!(400)),
            "{changed:?}"
        );
        assert_eq!(
            refused["more_info"],
            format!("https://www.twilio.com/docs/errors/{code}")
        );
        assert!(refused["message"].is_string());
    }
    let long = "x".repeat(1601);
    let refused = sim
        .send(&[("To", TO), ("From", "+15005550006"), ("Body", &long)])
        .await;
    assert_eq!(refused.unwrap().json::<Value>().await.unwrap()["code"], 21617);
    let wrong = sim.client.post(sim.messages()).form(&good);
    for request in [
        wrong.try_clone().unwrap(),
        wrong.basic_auth(ACCOUNT, Some("another")),
        sim.client.get(sim.messages()),
    ] {
        let refused = request.send().await.unwrap();
        assert!(refused.headers().contains_key("www-authenticate"));
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(
            (&refused["code"], &refused["status"]),
            (&json!(20003), &json!(401))
        );
    }
    let no_form = sim
        .client
        .post(sim.messages())
        .basic_auth(ACCOUNT, Some(TOKEN))
        .body("To");
    assert_eq!(no_form.send().await.unwrap().status(), 400);
    assert_eq!(
        sim.ask("/2010-04-01/Nothing.json")
            .await
            .json::<Value>()
            .await
            .unwrap()["code"],
        20404
    );
    assert_eq!(sim.taken().await, [] as [Value; 0]);
}

#[tokio::test]
async fn messages_are_looked_up_page_by_page() {
    let sim = Simulator::start(&[]);
    for (to, body) in [(TO, "one"), ("+14152000002", "two"), (TO, "three"), (TO, "four")] {
        sim.text(to, body).await;
    }
    let bodies = |page: &Value| -> Vec<String> {
        let messages = page["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["body"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(bodies(&sim.look_up(&[]).await), ["four", "three", "two", "one"]);
    let first = sim.look_up(&[("To", TO), ("PageSize", "2")]).await;
    assert_eq!(bodies(&first), ["four", "three"]);
    assert_eq!((&first["page"], &first["page_size"]), (&json!(0), &json!(2)));
    let next = sim.ask(first["next_page_uri"].as_str().unwrap()).await;
    let next: Value = next.json().await.unwrap();
    assert_eq!(bodies(&next), ["one"]);
    assert_eq!((&next["next_page_uri"], &next["page"]), (&Value::Null, &json!(1)));
    // What isn't sent yet has no date of sending.
    let dated = [("To", TO), ("DateSent>", "2020-01-01")];
    until("all are sent", async || {
        bodies(&sim.look_up(&dated).await).len() == 3
    })
    .await;
    for (name, time, found) in [
        ("DateSent>", "2199-01-01T00:00:00Z", 0),
        ("DateSent<", "2020-01-01", 0),
        ("DateSent", "2020-01-01", 0),
    ] {
        let page = sim.look_up(&[("To", TO), (name, time)]).await;
        assert_eq!(bodies(&page).len(), found, "{name}={time}");
    }
    let other = sim.url.clone() + "/2010-04-01/Accounts/AC2/Messages.json";
    let page: Value = sim.ask(&other).await.json().await.unwrap();
    assert_eq!(bodies(&page).len(), 0, "another account's messages are its own");
    assert_eq!(sim.look_up(&[("PageSize", "x")]).await["code"], 20001);
}

#[tokio::test]
async fn what_was_sent_is_shown_and_forgotten() {
    let sim = Simulator::start(&["--keep", "3"]);
    for body in [
        "code 1111, 10 minutes",
        "code 2222",
        "code 1111, 9 minutes",
        "code 3333",
    ] {
        sim.text(TO, body).await;
    }
    sim.text("+14152000002", "code 1111").await;
    let taken = sim.taken().await;
    assert_eq!(taken.len(), 3);
    assert_eq!(
        (&taken[0]["to"], &taken[0]["body"]),
        (&json!("+14152000002"), &json!("code 1111"))
    );
    assert!(DateTime::parse_from_rfc3339(taken[0]["at"].as_str().unwrap()).is_ok());
    let one: Vec<Value> = sim
        .ask("/messages.json?to=%2B14152000001&limit=1")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!((one.len(), &one[0]["body"]), (1, &json!("code 3333")));
    let stats = sim.stats().await;
    for (count, value) in [
        ("calls", 5),
        ("accepted", 5),
        ("duplicates", 1),
        ("kept", 3),
        ("numbers", 2),
    ] {
        assert_eq!(stats[count], value, "{count}");
    }
    let page = sim.ask("/").await;
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(page.text().await.unwrap().contains("<title>twilio-sim</title>"));
    let reset = sim
        .client
        .post(format!("{}/reset", sim.url))
        .send()
        .await
        .unwrap();
    assert_eq!(reset.status(), 204);
    assert_eq!(sim.stats().await["accepted"], 0);
    assert!(sim.taken().await.is_empty());
}

fn client(sim: &Simulator) -> Twilio {
    Twilio::new(TwilioOptions {
        account_sid: ACCOUNT.to_owned(),
        auth_token: Some(TOKEN.into()),
        api_key: None,
        sender: "+15005550006".to_owned(),
        base_url: sim.url.clone(),
        receipts_to: None,
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(20),
    })
    .unwrap()
}

fn message(code: &str) -> SmsMessage {
    SmsMessage {
        reference: Uuid::nil(),
        to: PhoneNumber::parse(TO, PhoneCheck::E164).unwrap(),
        body: MessageText::new(format!("Ringback code: {code}.")),
        valid_for: Duration::from_secs(600),
    }
}

/// The service's own client sees a Twilio.
#[tokio::test]
async fn ringbacks_own_client_sends_by_it() {
    let sim = Simulator::start(&[]);
    let (twilio, message) = (client(&sim), message("123456"));
    let Outcome::Accepted { provider_id } = twilio.send(&message).await else {
        panic!("not accepted");
    };
    let taken = sim.taken().await;
    assert_eq!(
        (taken.len(), &taken[0]["sid"], &taken[0]["body"]),
        (1, &json!(provider_id), &json!("Ringback code: 123456."))
    );
    // Every fault is an outcome, and never a wait without end.
    let profile = json!({ "fault": [{ "what": "error", "status": 400, "code": 21211 }] });
    assert_eq!(sim.faults(&profile).await, 204);
    assert!(matches!(twilio.send(&message).await, Outcome::Permanent { .. }));
    for what in [
        json!({ "what": "error", "status": 429, "code": 20429, "retry_after": "2s" }),
        json!({ "what": "error", "status": 503 }),
        json!({ "what": "garbage" }),
        json!({ "what": "cut" }),
        json!({ "what": "reset" }),
        json!({ "what": "hang", "over": "50ms" }),
    ] {
        sim.faults(&json!({ "fault": [what] })).await;
        let outcome = twilio.send(&message).await;
        assert!(
            matches!(outcome, Outcome::Retryable { .. }),
            "{what}: {outcome:?}"
        );
    }
    sim.faults(&json!({ "fault": [{ "what": "drip", "over": "100ms" }] }))
        .await;
    assert!(matches!(twilio.send(&message).await, Outcome::Accepted { .. }));
    assert_eq!(sim.stats().await["accepted"], 2);
}

/// And finds what it took, though nobody heard of it.
#[tokio::test]
async fn ringbacks_own_client_finds_a_message_whose_answer_was_lost() {
    let sim = Simulator::start(&[]);
    let twilio = client(&sim);
    let first = sim.text(TO, "Ringback code: 000000.").await;
    let since = DateTime::parse_from_rfc2822(first["date_created"].as_str().unwrap()).unwrap();
    let found = async |code| twilio.look_up(&message(code), since.to_utc()).await;
    assert_eq!(found("123456").await, LookupResult::NotTaken);

    sim.faults(&json!({ "fault": [{ "what": "cut", "taken": true, "on": "send" }] }))
        .await;
    assert!(matches!(
        twilio.send(&message("123456")).await,
        Outcome::Retryable { .. }
    ));
    assert!(matches!(found("123456").await, LookupResult::Taken { .. }));
    assert_eq!(found("654321").await, LookupResult::NotTaken);

    // On the third page; what is on the fourth is beyond the bound.
    sim.faults(&json!({})).await;
    for sent in 1..=60 {
        sim.text(TO, "Ringback code: 999999.").await;
        match sent {
            58 => assert!(matches!(found("123456").await, LookupResult::Taken { .. })),
            60 => assert_eq!(found("000000").await, LookupResult::Unknown),
            _ => {}
        }
    }
}
