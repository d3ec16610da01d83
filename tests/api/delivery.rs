//! From an accepted send to the provider: nobody waits for it, and it gets what Twilio's API asks for.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::support::{Backends, Call, TestApp, digits, eventually, variable};

const PHONE: &str = "+14152000001";
/// How long a send may take while the provider takes five seconds: ample for a busy machine, short of the provider.
const AT_ONCE: Duration = Duration::from_secs(4);

fn field<'a>(call: &'a Call, name: &str) -> &'a str {
    let mut values = call.form.iter().filter(|(field, _)| field == name);
    let (_, value) = values.next().unwrap_or_else(|| panic!("no {name} in {call:?}"));
    assert!(values.next().is_none(), "{name} twice in {call:?}");
    value
}

#[actix_web::test]
async fn a_send_does_not_wait_for_a_slow_provider() {
    let app = TestApp::start(Backends::Servers).await;
    let provider = app.provider.clone().unwrap();
    let phones: Vec<String> = (0..40).map(|number| format!("+1415200{number:04}")).collect();
    for phone in &phones {
        app.register(phone).await;
    }
    provider.delay(Duration::from_secs(5));
    let began = Instant::now();
    let sends = phones.iter().map(|phone| app.send(phone, None));
    for sent in futures_util::future::join_all(sends).await {
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert!(provider.messages().is_empty());
    eventually("every SMS", async || {
        (provider.messages().len() == phones.len()).then_some(())
    })
    .await;
    let mut numbers: Vec<_> = provider.messages().into_iter().map(|(to, _)| to).collect();
    numbers.sort();
    assert_eq!(numbers, phones);
}

#[actix_web::test]
async fn a_call_is_what_twilio_documents() {
    let app = TestApp::start(Backends::Servers).await;
    app.register(PHONE).await;
    let code = app.code(PHONE, None).await;
    let [call] = &app.provider.as_ref().unwrap().calls()[..] else {
        panic!("one call");
    };
    let sid = "AC00000000000000000000000000000000";
    assert_eq!(call.path, format!("/2010-04-01/Accounts/{sid}/Messages.json"));
    let login = call.authorization.strip_prefix("Basic ").unwrap();
    let login = String::from_utf8(BASE64_STANDARD.decode(login).unwrap()).unwrap();
    assert_eq!(login, format!("{sid}:a-token-that-no-log-may-show"));
    assert_eq!(field(call, "To"), PHONE);
    assert_eq!(field(call, "From"), "+15005550006");
    assert_eq!(digits(field(call, "Body")), code);
    let validity: u64 = field(call, "ValidityPeriod").parse().unwrap();
    assert!((590..=600).contains(&validity), "{validity}");
}

#[actix_web::test]
async fn a_messaging_service_is_named_in_the_place_of_a_number() {
    let service = "MG00000000000000000000000000000000";
    let app = TestApp::start_with(Backends::Servers, &[("TWILIO_PHONE_NUMBER", service)]).await;
    app.register(PHONE).await;
    app.code(PHONE, None).await;
    let call = app.provider.as_ref().unwrap().calls().remove(0);
    assert_eq!(field(&call, "MessagingServiceSid"), service);
    assert!(call.form.iter().all(|(name, _)| name != "From"), "{call:?}");
}

#[actix_web::test]
async fn what_is_sent_late_is_valid_for_no_longer_than_its_code() {
    let app = TestApp::start(Backends::Servers).await;
    app.register(PHONE).await;
    let provider = app.provider.clone().unwrap();
    provider.fail(Some((503, 20503)));
    assert_eq!(app.send(PHONE, None).await.status, 200);
    eventually("a refusal", async || (provider.refused() > 0).then_some(())).await;
    app.pass(400);
    provider.fail(None);
    let call = eventually("an SMS", async || provider.calls().pop()).await;
    let validity: u64 = field(&call, "ValidityPeriod").parse().unwrap();
    assert!((150..=200).contains(&validity), "{validity}");
    assert!(field(&call, "Body").contains("3 min."), "{call:?}");
    let code = digits(field(&call, "Body"));
    assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
}

#[actix_web::test]
async fn what_is_replaced_or_expired_is_not_sent_any_more() {
    let app = TestApp::start(Backends::Servers).await;
    for phone in [PHONE, "+14152000002"] {
        app.register(phone).await;
    }
    let provider = app.provider.clone().unwrap();
    provider.fail(Some((503, 20503)));
    let refusal = async |before: u64| {
        eventually("a refusal", async || (provider.refused() > before).then_some(())).await;
    };
    assert_eq!(app.send("+14152000002", None).await.status, 200);
    refusal(0).await;
    app.pass(600);
    let before = provider.refused();
    assert_eq!(app.send(PHONE, None).await.status, 200);
    refusal(before).await;
    app.pass(60);
    assert_eq!(app.send(PHONE, None).await.status, 200);
    provider.fail(None);
    let (_, body) = eventually("an SMS", async || provider.messages().pop()).await;
    assert_eq!(app.numbers().await, [PHONE]);
    assert_eq!(app.verify(PHONE, &digits(&body), None).await.status, 200);
}

/// The main job on each other way to run Redis.
async fn proves_a_phone_on(redis: &str) {
    let url = variable(redis);
    let app = TestApp::start_with(Backends::Servers, &[("REDIS_URL", &url)]).await;
    for number in 0..5 {
        let phone = format!("+1415200{number:04}");
        let account = app.register(&phone).await;
        let code = app.code(&phone, None).await;
        app.send(&phone, None).await.is(429, "resend_cooldown");
        app.verify(&phone, &crate::support::wrong(&code), None)
            .await
            .is(400, "otp_invalid");
        assert_eq!(app.verify(&phone, &code, None).await.status, 200);
        assert!(app.is_verified(&account).await);
    }
}

#[actix_web::test]
async fn a_redis_cluster_will_do() {
    proves_a_phone_on("RINGBACK_TEST_REDIS_CLUSTER_URL").await;
}

#[actix_web::test]
async fn a_master_that_sentinels_watch_will_do() {
    proves_a_phone_on("RINGBACK_TEST_REDIS_SENTINEL_URL").await;
}
