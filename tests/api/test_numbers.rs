//! Test numbers: a code that is known beforehand, no SMS, no cooldown, and the last account that proves one has it.

use chrono::TimeDelta;
use ringback::clock::{Clock, SystemClock};

use crate::support::{Backends, TestApp, eventually, fields, shape, wrong};

const PHONE: &str = "+14152000001";
const CODE: &str = "135790";
const VARIABLES: [(&str, &str); 2] = [
    (
        "RINGBACK__TEST_NUMBERS__CODES",
        "+14152000001=135790,+14152000002=000000",
    ),
    ("RINGBACK__TEST_NUMBERS__UNTIL", "2999-12-31"),
];

#[actix_web::test]
async fn a_test_number_is_verified_by_its_code_and_gets_no_sms() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start_with(backends, &VARIABLES).await;
        let account = app.register(PHONE).await;
        let sent = app.send(PHONE, None).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        // As for every phone: the attempts, a new code after them. There is no cooldown.
        assert_eq!(sent.body["resend_after"], 0, "{sent:?}");
        assert_eq!(app.send(PHONE, None).await.status, 200);
        let answer = app.verify(PHONE, &wrong(CODE), None).await;
        answer.is(400, "otp_invalid");
        assert_eq!(answer.body["attempts_remaining"], 2);
        app.verify(PHONE, &wrong(CODE), None).await.is(400, "otp_invalid");
        app.verify(PHONE, &wrong(CODE), None)
            .await
            .is(400, "otp_attempts_exceeded");
        app.verify(PHONE, CODE, None)
            .await
            .is(400, "otp_attempts_exceeded");
        assert_eq!(app.send(PHONE, None).await.status, 200);
        assert_eq!(app.verify(PHONE, CODE, None).await.status, 200);
        assert!(app.is_verified(&account).await);
        app.verify(PHONE, CODE, None).await.is(400, "otp_expired");
        // As its user's own, too.
        let signed_in = app.register("+14152000002").await;
        let token = Some(signed_in.access.as_str());
        assert_eq!(app.send("+14152000002", token).await.status, 200);
        assert_eq!(app.verify("+14152000002", "000000", token).await.status, 200);
        assert_eq!(app.numbers().await, [""; 0], "no SMS to either");
        // Nobody owes it one either: not when leases run out.
        app.pass(61);
        assert_eq!(app.numbers().await, [""; 0]);
    }
}

#[actix_web::test]
async fn one_account_after_the_other_proves_a_test_number_at_once() {
    let rules = "[[rule]]\nid='phone-day'\non='otp.send'\nby='phone'\nquota=1\nper='1d'\n
                 [[rule]]\nid='prefix-day'\non='otp.verify'\nby='prefix:4'\nquota=1\nper='1d'\n";
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start_with(backends, &VARIABLES).await;
        app.limit(rules).await;
        let mut former = None;
        for signed_in in [true, true, false, false, true, false] {
            let account = app.register(PHONE).await;
            let token = signed_in.then_some(account.access.as_str());
            // More wrong codes than any other phone may have in an hour.
            for _ in 0..4 {
                assert_eq!(app.send(PHONE, token).await.status, 200);
                for _ in 0..3 {
                    assert_eq!(app.verify(PHONE, &wrong(CODE), token).await.status, 400);
                }
            }
            assert_eq!(app.send(PHONE, token).await.status, 200);
            assert_eq!(app.verify(PHONE, CODE, token).await.status, 200);
            assert!(app.is_verified(&account).await);
            // Again, for whoever has it already.
            assert_eq!(app.send(PHONE, token).await.status, 200);
            assert_eq!(app.verify(PHONE, CODE, token).await.status, 200);
            assert!(app.is_verified(&account).await);
            if let Some(former) = former.replace(account) {
                assert!(!app.is_verified(&former).await, "it has moved on");
            }
        }
        // A stranger to the number gets a decoy.
        let stranger = app.register("+14152000003").await;
        let token = Some(stranger.access.as_str());
        assert_eq!(app.send(PHONE, token).await.status, 200);
        app.verify(PHONE, CODE, token).await.is(400, "otp_invalid");
        let owned = app
            .sql_text("SELECT CAST(count(*) AS text) FROM users WHERE phone_owned_at IS NOT NULL".to_owned());
        assert_eq!(owned.await, "0", "a test number opens nothing");
    }
}

#[actix_web::test]
async fn a_test_number_that_no_account_claims_is_a_decoy() {
    let app = TestApp::start_with(Backends::Embedded, &VARIABLES).await;
    app.register(PHONE).await;
    let (claimed, free) = (app.send(PHONE, None).await, app.send("+14152000002", None).await);
    assert_eq!((claimed.status, free.status), (200, 200));
    assert_eq!(fields(&claimed), fields(&free));
    assert_eq!(shape(&claimed), shape(&free));
    for sent in [&claimed, &free] {
        let path = format!("/api/users/otp-status/{}/", sent.text("challenge_id"));
        assert_eq!(app.get(&path).await.text("status"), "queued");
    }
    app.verify("+14152000002", "000000", None)
        .await
        .is(400, "otp_invalid");
    // Without a send there is no code, known or not.
    app.register("+14152000003").await;
    app.pass(601);
    app.verify(PHONE, CODE, None).await.is(400, "otp_expired");
}

#[actix_web::test]
async fn after_its_last_day_a_test_number_is_a_phone_like_any_other() {
    let until = (SystemClock.now() + TimeDelta::days(1))
        .format("%Y-%m-%d")
        .to_string();
    let app = TestApp::start_with(
        Backends::Embedded,
        &[VARIABLES[0], ("RINGBACK__TEST_NUMBERS__UNTIL", &until)],
    )
    .await;
    app.register(PHONE).await;
    assert_eq!(app.send(PHONE, None).await.status, 200);
    app.pass(2 * 24 * 3600);
    assert_eq!(app.send(PHONE, None).await.status, 200);
    let (to, body) = eventually("an SMS", async || app.messages().await.pop()).await;
    assert!(to == PHONE && !body.contains(CODE), "{body}");
    app.verify(PHONE, CODE, None).await.is(400, "otp_invalid");
}

#[actix_web::test]
async fn the_start_says_that_there_are_test_numbers_and_when_they_are_over() {
    for (until, said) in [
        ("2999-12-31", "anyone can verify the test numbers"),
        ("2020-12-31", "test_numbers.until is past"),
    ] {
        let variables = [VARIABLES[0], ("RINGBACK__TEST_NUMBERS__UNTIL", until)];
        let prepared = TestApp::prepare(Backends::Embedded, &variables).await;
        let (process, _app) = prepared.spawn().await;
        let output = process.output();
        assert!(output.contains(said), "{output}");
        assert!(!output.contains(CODE) && !output.contains(PHONE), "{output}");
    }
}
