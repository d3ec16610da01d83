//! Rules that count messages, as clients meet them.

use crate::support::{Backends, TestApp, eventually, on_both};

fn rule(by: &str, counts: &str, quota: u32) -> String {
    format!(
        "[[rule]]\nid = 'budget'\non = 'otp.send'\nby = '{by}'\ncounts = '{counts}'\nquota = {quota}\nper = '1d'\n"
    )
}

on_both! {
    /// S2: requests for which no message goes out take nothing from those for which one does.
    async fn floods_for_unknown_and_verified_phones_spend_no_budget(app) {
        let verified = app.verified("+14152000900").await;
        app.register("+14152000001").await;
        app.register("+14152000002").await;
        app.register("+14152000003").await;
        for by in ["prefix:7", "country", "global"] {
            app.limit("").await;
            app.pass(100_000);
            app.limit(&rule(by, "messages", 2)).await;
            for n in 0..20 {
                assert_eq!(app.send(&format!("+141520001{n:02}"), None).await.status, 200, "{by}: {n}");
            }
            app.pass(61);
            assert_eq!(app.send(&verified.phone, None).await.status, 200);
            assert_eq!(app.send("+14152000001", None).await.status, 200, "{by}");
            app.send("+14152000001", None).await.is(429, "resend_cooldown");
            assert_eq!(app.send("+14152000002", None).await.status, 200, "{by}");
            for phone in ["+14152000003", "+14152000777"] {
                let refused = app.send(phone, None).await;
                refused.is(429, "rate_limited");
                assert_eq!(refused.text("rule"), "budget", "{by}: known and unknown alike");
            }
        }
    }

    /// By the prices that are shipped: 0.012 dollars to the United States, 0.06 to Great Britain, and nothing by e-mail.
    async fn money_is_spent_by_the_price_of_each_message(app) {
        let rule = "[[rule]]\nid='money'\non='otp.send'\nby='global'\ncounts='money'\nquota='1 USD'\nper='1d'\nburst='0.084 USD'\n";
        app.limit(rule).await;
        for phone in ["+447400123456", "+14152000001", "+14152000002", "+14152000003"] {
            app.register(phone).await;
        }
        app.send("+14152000900", None).await;
        assert_eq!(app.send("+447400123456", None).await.status, 200);
        assert_eq!(app.send("+14152000001", None).await.status, 200);
        assert_eq!(app.send("+14152000002", None).await.status, 200);
        for phone in ["+14152000003", "+14152000901"] {
            let refused = app.send(phone, None).await;
            refused.is(429, "rate_limited");
            assert_eq!(refused.text("rule"), "money", "with and without an account");
            assert_eq!(refused.header("ratelimit-policy"), "\"money\";q=1;w=86400");
        }
        let mail = serde_json::json!({ "email": "jane@example.com" });
        assert_eq!(app.post("/api/users/send-email-otp/", mail).await.status, 200);
        app.pass(1100); // a cent and more comes back
        assert_eq!(app.send("+14152000003", None).await.status, 200);
        app.pass(61);
        app.send("+447400123456", None).await.is(429, "rate_limited");
    }

    /// S3: numbers that never verify use a budget up, and people who type their codes don't.
    async fn typed_codes_give_their_messages_back(app) {
        app.limit(&rule("prefix:7", "unverified", 3)).await;
        for n in 0..8 {
            app.verified(&format!("+1415200000{n}")).await;
        }
        for n in 0..3 {
            let phone = format!("+1415200010{n}");
            app.register(&phone).await;
            assert_eq!(app.send(&phone, None).await.status, 200);
        }
        app.register("+14152000200").await;
        app.send("+14152000200", None).await.is(429, "rate_limited");
    }

    async fn as_a_shadow_a_budget_is_spent_and_given_back_and_refuses_nobody(app) {
        let shadow = format!("{}mode = 'shadow'\n", rule("country", "unverified", 1));
        app.limit(&shadow).await;
        let refused = async || {
            app.metric("ringback_limiter_decisions_total", &["budget", "shadow_refused"]).await
        };
        let before = refused().await;
        for n in 0..3 {
            app.verified(&format!("+1415200000{n}")).await;
        }
        assert_eq!(refused().await, before, "given back");
        for n in 0..3 {
            let phone = format!("+1415200010{n}");
            app.register(&phone).await;
            assert_eq!(app.send(&phone, None).await.status, 200);
        }
        assert_eq!(refused().await, before + 2.0);
    }
}

#[actix_web::test]
async fn a_test_number_spends_no_budget() {
    let variables = [
        ("RINGBACK__TEST_NUMBERS__CODES", "+14152000001=135790"),
        ("RINGBACK__TEST_NUMBERS__UNTIL", "2999-12-31"),
    ];
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = TestApp::start_with(backends, &variables).await;
        app.register("+14152000001").await;
        app.register("+14152000002").await;
        app.limit(&rule("global", "messages", 1)).await;
        for _ in 0..5 {
            assert_eq!(app.send("+14152000001", None).await.status, 200);
        }
        assert_eq!(app.send("+14152000002", None).await.status, 200);
        eventually("its SMS", async || {
            app.messages()
                .await
                .into_iter()
                .find(|(to, _)| to == "+14152000002")
        })
        .await;
        app.send("+14152000002", None).await.is(429, "resend_cooldown");
        app.pass(61);
        app.send("+14152000002", None).await.is(429, "rate_limited");
    }
}
