//! Strangers keep nobody from their own account: what they ask for is counted apart from what its owner asks for.

use serde_json::json;

use crate::support::{Account, Answer, Backends, TestApp, eventually};

const PHONE: &str = "+14152000001";

const SHIPPED: &str = include_str!("../../config/limits.toml");

/// The rules that are shipped, but for those by prefix, which refuse whoever asks, and the one by phone that a proof of work passes.
fn shipped_rules() -> String {
    let is_kept = |rule: &&str| !rule.contains("prefix:") && !rule.contains("\"otp-send-per-phone\"");
    let kept: Vec<_> = SHIPPED.split("\n[[rule]]\n").skip(1).filter(is_kept).collect();
    format!("[[rule]]\n{}", kept.join("\n[[rule]]\n"))
}

/// A service that believes what this machine says of who its clients are.
async fn start(backends: Backends) -> TestApp {
    let variables = [
        ("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1/32"),
        ("RINGBACK__TOKENS__ACCESS_TTL", "24h"),
    ];
    let app = TestApp::start_with(backends, &variables).await;
    app.limit(&shipped_rules()).await;
    app
}

/// One of 200 addresses.
fn stranger(n: usize) -> String {
    format!("198.51.100.{n}")
}

fn address_of<'a>(account: &'a Account, channel: &str) -> &'a str {
    match channel {
        "phone" => &account.phone,
        _ => &account.email,
    }
}

async fn send(app: &TestApp, from: &str, channel: &str, to: &Account, token: Option<&str>) -> Answer {
    let path = format!("/api/users/send-{channel}-otp/");
    app.post_from(from, &path, json!({ channel: address_of(to, channel) }), token)
        .await
}

/// S1, C37: a day of 200 addresses, and accounts of their own, that ask for codes to an address that isn't theirs.
#[actix_web::test]
async fn an_owner_has_codes_within_the_cooldown_whoever_else_asks_for_the_address() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let (owner, stranger_account) = (app.register(PHONE).await, app.register("+14152000002").await);
        for channel in ["phone", "email"] {
            for round in 0..3 {
                for n in 0..200 {
                    let token = (n % 2 == 0).then_some(stranger_account.access.as_str());
                    let asked = send(&app, &stranger(n), channel, &owner, token).await;
                    assert!([200, 429].contains(&asked.status), "{asked:?}");
                    // Codes that are guessed at, too.
                    let guess = json!({ channel: address_of(&owner, channel), "otp": "000000" });
                    let path = format!("/api/users/verify-{channel}-otp/");
                    let guessed = app.post_from(&stranger(n), &path, guess, token).await;
                    assert!([400, 429].contains(&guessed.status), "{guessed:?}");
                }
                let own = send(&app, "203.0.113.7", channel, &owner, Some(&owner.access)).await;
                assert_eq!(own.status, 200, "{channel}, round {round}: {own:?}");
                send(&app, "203.0.113.7", channel, &owner, Some(&owner.access))
                    .await
                    .is(429, "resend_cooldown");
                app.pass(61);
            }
        }
        app.pass(3600);
        let code = app.code(PHONE, Some(&owner.access)).await;
        assert_eq!(app.verify(PHONE, &code, Some(&owner.access)).await.status, 200);
    }
}

/// C37 with every rule that is shipped: whoever asks without the owner's token leaves a message of the block of numbers to the owner.
#[actix_web::test]
async fn strangers_do_not_use_up_the_block_of_a_phone() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        app.limit(SHIPPED).await;
        let owner = app.register(PHONE).await;
        for _ in 0..5 {
            let asked = send(&app, &stranger(1), "phone", &owner, None).await;
            assert!([200, 428].contains(&asked.status), "{asked:?}");
            app.pass(61);
        }
        let own = send(&app, "203.0.113.7", "phone", &owner, Some(&owner.access)).await;
        assert_eq!(own.status, 200, "{own:?}");
    }
}

/// However many accounts claim a phone that nobody has proven, and whoever asks: 10 messages a day, and 10 more in the first.
#[actix_web::test]
async fn a_phone_that_nobody_has_proven_gets_ten_messages_a_day() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let mut claimants = Vec::new();
        for _ in 0..8 {
            claimants.push(app.register(PHONE).await);
        }
        let mut sent = Vec::new();
        for _ in 0..4 {
            // Half a day.
            let mut tokens = Vec::new();
            for claimant in &claimants {
                tokens.push(app.log_in(claimant).await.0);
            }
            let mut accepted = 0;
            for round in 0..3 {
                for (n, (claimant, access)) in claimants.iter().zip(&tokens).enumerate() {
                    let from = stranger(n + 10 * round);
                    let own = send(&app, &from, "phone", claimant, Some(access)).await;
                    let public = send(&app, &from, "phone", claimant, None).await;
                    accepted += [own, public].iter().filter(|answer| answer.status == 200).count();
                    // Time that passes takes messages along that have not gone out yet.
                    let all = sent.iter().sum::<usize>() + accepted;
                    let came = async || (app.messages().await.len() == all).then_some(());
                    eventually("its messages", came).await;
                    app.pass(61);
                }
            }
            sent.push(accepted);
            app.pass(12 * 3600 - 24 * 61);
        }
        assert_eq!(sent[0], 10, "{sent:?}");
        assert!(
            sent[1..].iter().all(|&half_a_day| (4..=6).contains(&half_a_day)),
            "{sent:?}"
        );
    }
}

/// An account that has proven a phone is not under the total of those that haven't.
#[actix_web::test]
async fn who_has_proven_an_address_is_not_under_what_others_spend_there() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let owner = app.register(PHONE).await;
        app.own_phone(&owner).await;
        let mut claimants = Vec::new();
        for _ in 0..6 {
            claimants.push(app.register(PHONE).await);
        }
        app.pass(61);
        for claimant in &claimants {
            send(&app, &stranger(1), "phone", claimant, Some(&claimant.access)).await;
        }
        let refused = send(
            &app,
            &stranger(1),
            "phone",
            &claimants[5],
            Some(&claimants[5].access),
        )
        .await;
        refused.is(429, "rate_limited");
        assert_eq!(refused.text("rule"), "otp-send-per-phone-day");
        let own = send(&app, "203.0.113.7", "phone", &owner, Some(&owner.access)).await;
        assert_eq!(own.status, 200, "{own:?}");
    }
}

/// The edge of the budget of an address tells nothing of who has it, nor does that of its block: each address here is alone in one.
#[actix_web::test]
async fn strangers_are_refused_alike_for_every_address() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        app.limit(SHIPPED).await;
        let (claimed, proven) = (
            app.register("+14152000003").await,
            app.register("+13122000004").await,
        );
        app.own_phone(&proven).await;
        let stranger_account = app.register("+14152000005").await;
        app.pass(86_400);
        let mut seen = Vec::new();
        for phone in [claimed.phone.as_str(), &proven.phone, "+16502000006"] {
            let mut answers = Vec::new();
            let (access, _) = app.log_in(&stranger_account).await;
            for n in 0..14 {
                let token = (n % 3 == 2).then_some(access.as_str());
                let body = json!({ "phone": phone });
                let asked = app
                    .post_from(&stranger(n), "/api/users/send-phone-otp/", body, token)
                    .await;
                answers.push((
                    asked.status,
                    asked.body["rule"].clone(),
                    asked.body["resend_after"].clone(),
                ));
                app.pass(if n % 4 == 0 { 20 } else { 61 });
            }
            seen.push(answers);
            app.pass(86_400 - 14 * 61);
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
        assert!(
            seen[0].iter().any(|(status, ..)| *status == 200)
                && seen[0].iter().any(|(status, ..)| *status == 428),
            "{seen:?}"
        );
    }
}

/// Guesses at a password from one address: how many were judged.
async fn guess(app: &TestApp, from: &str, login: &str) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for _ in 0..6 {
        let field = if login.contains('@') { "email" } else { "phone" };
        let body = json!({ field: login, "password": "not the password" });
        let answer = app.post_from(from, "/api/users/login/", body, None).await;
        let rule = answer.body["rule"].as_str().unwrap_or_default().to_owned();
        answers.push((answer.status, rule));
    }
    answers
}

/// S6: guesses from everywhere shut nobody out where they have signed in before; and are answered alike whether or not there is
/// such an account.
#[actix_web::test]
async fn nobody_is_shut_out_by_guesses_at_their_password_where_they_have_signed_in_before() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let owner = app.register(PHONE).await;
        app.own_phone(&owner).await;
        for (login, unknown) in [
            (owner.email.as_str(), "nobody@example.com"),
            (PHONE, "+14152000099"),
        ] {
            let mut judged = 0;
            for n in 0..20 {
                let (known, nobody) = (
                    guess(&app, &stranger(n), login).await,
                    guess(&app, &stranger(n), unknown).await,
                );
                assert_eq!(known, nobody);
                judged += known.iter().filter(|(status, _)| *status == 401).count();
            }
            assert_eq!(judged, 50);
            let field = if login.contains('@') { "email" } else { "phone" };
            let right = json!({ field: login, "password": "securepass123" });
            let elsewhere = app
                .post_from("192.0.2.7", "/api/users/login/", right.clone(), None)
                .await;
            elsewhere.is(429, "rate_limited");
            assert_eq!(elsewhere.text("rule"), "login-per-account-day");
            // Another address of the network that the account was made from.
            for _ in 0..3 {
                let at_home = app
                    .post_from("127.0.0.77", "/api/users/login/", right.clone(), None)
                    .await;
                assert_eq!(at_home.status, 200, "{at_home:?}");
            }
            // Whoever guesses there has as many guesses, and no more.
            let mut judged = 0;
            for n in 100..120 {
                judged += guess(&app, &format!("127.0.0.{n}"), login)
                    .await
                    .iter()
                    .filter(|(status, _)| *status == 401)
                    .count();
            }
            assert_eq!(judged, 50);
        }
    }
}

/// Promise 8: from there codes to sign in and to reset the password come as well, whatever strangers ask for.
#[actix_web::test]
async fn nobody_is_kept_from_codes_for_their_account_where_they_have_signed_in_before() {
    for backends in [Backends::Embedded, Backends::Servers] {
        let app = start(backends).await;
        let owner = app.register(PHONE).await;
        app.own_phone(&owner).await;
        app.own_email(&owner).await;
        for (nth, address) in [PHONE, &owner.email].into_iter().enumerate() {
            for round in 0..2 {
                for n in 0..200 {
                    let path = ["/api/users/login/code/", "/api/users/password/forgot/"][n % 2];
                    let field = if address.contains('@') { "email" } else { "phone" };
                    let asked = app
                        .post_from(&stranger(n), path, json!({ field: address }), None)
                        .await;
                    assert!([200, 429].contains(&asked.status), "{asked:?}");
                    if asked.status == 200 {
                        let id = asked.text("challenge_id").to_owned();
                        for _ in 0..3 {
                            app.login_by_code(&id, "000000").await;
                        }
                    }
                }
                let code = match round {
                    0 => app.code_to_sign_in(address).await,
                    _ => app.code_to_reset(address).await,
                };
                app.login_code(address).await.is(429, "resend_cooldown");
                let answer = match round {
                    0 => app.login_by_code(&code.id, &code.code).await,
                    _ => {
                        app.reset_password(&code.id, &code.code, &format!("another secure pass {nth}"))
                            .await
                    }
                };
                assert_eq!(answer.status, 200, "{address}: {answer:?}");
                app.pass(61);
            }
        }
    }
}
