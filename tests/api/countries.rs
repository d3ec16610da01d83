//! Where SMS go: a phone of another country is told so, before it costs anything.

use serde_json::json;

use crate::support::{Backends, TestApp, eventually, fields};

const AMERICAN: &str = "+14152000001";
const BRITISH: &str = "+442079460958";
/// Shaped like a number of the United States, and none.
const NOWHERE: &str = "+1234567890";

async fn app(backends: Backends, key: &str, countries: &str) -> TestApp {
    TestApp::start_with(backends, &[(key, countries)]).await
}

#[actix_web::test]
async fn only_phones_of_the_countries_that_are_allowed_have_codes() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = app(backends, "RINGBACK__SMS__COUNTRIES_ALLOW", "US,CA").await;
        app.limit(
            "[[rule]]\nid='few'\non='otp.send'\nby='ip'\nquota=3\nper='1h'\nscope='instance'\n\n\
                   [[rule]]\nid='phone'\non='otp.send'\nby='phone'\nquota=1\nper='1h'\n",
        )
        .await;
        let claimed = app.register(BRITISH).await;
        app.register(NOWHERE).await;
        let mut answers = Vec::new();
        for token in [None, Some(claimed.access.as_str())] {
            for phone in [BRITISH, BRITISH, NOWHERE, "+442079460959", "+881612345678"] {
                let answer = app.send(phone, token).await;
                answer.is(400, "phone_not_supported");
                assert_eq!(
                    answer.body["errors"],
                    json!({ "phone": ["Phones of this country can't be verified here."] })
                );
                answers.push((fields(&answer), answer.text("detail").to_owned()));
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "alike with and without an account: {answers:?}");
        assert!(
            app.metric("ringback_otp_not_supported_total", &["country=\"GB\""])
                .await
                >= 6.0
        );
        // No rule has counted one of them, and nothing was issued.
        app.register(AMERICAN).await;
        for phone in [AMERICAN, "+14152000002", "+14165550123"] {
            assert_eq!(app.send(phone, None).await.status, 200, "{phone}");
        }
        app.send("+14152000003", None).await.is(429, "rate_limited");
        app.verify(BRITISH, "123456", None).await.is(400, "otp_expired");
        eventually("an SMS", async || {
            (!app.messages().await.is_empty()).then_some(())
        })
        .await;
        let to: Vec<_> = app.messages().await.into_iter().map(|(to, _)| to).collect();
        assert_eq!(to, [AMERICAN]);
    }
}

#[actix_web::test]
async fn phones_of_denied_countries_have_none_and_all_others_do() {
    let app = app(Backends::Embedded, "RINGBACK__SMS__COUNTRIES_DENY", "GB").await;
    app.send(BRITISH, None).await.is(400, "phone_not_supported");
    for phone in [AMERICAN, NOWHERE] {
        assert_eq!(app.send(phone, None).await.status, 200);
    }
    let app = self::app(Backends::Embedded, "RINGBACK__SMS__COUNTRIES_DENY", "ZZ").await;
    app.send(NOWHERE, None).await.is(400, "phone_not_supported");
    for phone in [AMERICAN, BRITISH] {
        assert_eq!(app.send(phone, None).await.status, 200);
    }
}

#[actix_web::test]
async fn a_country_is_refused_while_redis_is_away() {
    let app = app(Backends::Servers, "RINGBACK__SMS__COUNTRIES_ALLOW", "US").await;
    let sibling = app.sibling_with(&[("REDIS_URL", "redis://127.0.0.1:1")]).await;
    sibling.send(BRITISH, None).await.is(400, "phone_not_supported");
    sibling.send(AMERICAN, None).await.is(503, "unavailable");
}
