//! Proofs of work: over the quota of a rule a request passes that brings one, up to the rule's ceiling.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    browser::drive,
    clients::{Folder, typescript},
    support::{Answer, Backends, TestApp, node_modules, on_both, shape},
};

const RULE: &str = "[[rule]]\nid = 'block'\non = 'otp.send'\nby = 'prefix:7'\ncounts = 'messages'\nquota = 2\nper = '1d'\n\
     mode = 'prove'\nceiling = 4\n";

/// Solves a challenge as a client does, and gives the value of the header.
fn solved(refused: &Answer) -> String {
    refused.is(428, "proof_required");
    let proof = &refused.body["proof"];
    let (salt, wanted) = (
        proof["salt"].as_str().unwrap(),
        proof["challenge"].as_str().unwrap(),
    );
    let hash = |number: u64| -> String {
        let digest = Sha256::digest(format!("{salt}{number}"));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let most = proof["maxnumber"].as_u64().unwrap();
    let number = (0..=most).find(|&number| hash(number) == wanted).unwrap();
    encoded(&json!({
        "algorithm": proof["algorithm"], "challenge": wanted, "number": number, "salt": salt,
        "signature": proof["signature"], "took": 12,
    }))
}

fn encoded(solution: &Value) -> String {
    BASE64_STANDARD.encode(solution.to_string())
}

fn decoded(proof: &str) -> Value {
    serde_json::from_slice(&BASE64_STANDARD.decode(proof).unwrap()).unwrap()
}

on_both! {
    async fn over_a_quota_work_is_asked_for_and_beyond_the_ceiling_nothing_helps(app) {
        app.limit(RULE).await;
        for n in 0..6 {
            app.register(&format!("+1415200000{n}")).await;
        }
        for n in 0..2 {
            assert_eq!(app.send(&format!("+1415200000{n}"), None).await.status, 200);
        }
        let known = app.send("+14152000002", None).await;
        let unknown = app.send("+14152000777", None).await;
        let told = |answer: &Answer| {
            let mut told = shape(answer);
            for random in ["challenge", "salt", "signature"] {
                told["proof"][random] = json!("");
            }
            told
        };
        assert_eq!(told(&known), told(&unknown), "an account makes no difference");
        let proof = solved(&known);
        // Good for that address alone, and once.
        app.send_proven("+14152000003", &proof).await.is(428, "proof_required");
        assert_eq!(app.send_proven("+14152000002", &proof).await.status, 200);
        app.pass(61);
        app.send_proven("+14152000002", &proof).await.is(428, "proof_required");
        // A decoy passes likewise, and spends none of the messages.
        let decoy = solved(&app.send("+14152000777", None).await);
        assert_eq!(app.send_proven("+14152000777", &decoy).await.status, 200);
        let proof = solved(&app.send("+14152000003", None).await);
        assert_eq!(app.send_proven("+14152000003", &proof).await.status, 200);
        for phone in ["+14152000004", "+14152000778"] {
            let refused = app.send(phone, None).await;
            refused.is(429, "rate_limited");
            assert_eq!(refused.text("rule"), "block");
        }
    }

    async fn a_proof_is_good_for_two_minutes_and_made_by_the_service(app) {
        app.limit(&RULE.replace("quota = 2", "quota = 1")).await;
        app.register("+14152000001").await;
        app.register("+14152000002").await;
        assert_eq!(app.send("+14152000001", None).await.status, 200);
        let asked = async || solved(&app.send("+14152000002", None).await);
        let late = asked().await;
        app.pass(122);
        app.send_proven("+14152000002", &late).await.is(428, "proof_required");
        let good = asked().await;
        let longer = decoded(&good)["salt"].as_str().unwrap().replace("expires=1", "expires=2");
        for (field, value) in [
            ("number", json!(7)),
            ("signature", json!("00".repeat(32))),
            ("signature", json!("")),
            ("salt", json!(longer)),
            ("salt", json!("x")),
            ("algorithm", json!("SHA-1")),
            ("challenge", json!("")),
        ] {
            let mut forged = decoded(&good);
            forged[field] = value;
            let answer = app.send_proven("+14152000002", &encoded(&forged)).await;
            answer.is(428, "proof_required");
        }
        // The digits of the number are no digits of the salt.
        let mut spliced = decoded(&good);
        let number = spliced["number"].to_string();
        let (first, rest) = number.split_at(1);
        spliced["salt"] = json!(format!("{}{first}", spliced["salt"].as_str().unwrap()));
        spliced["number"] = rest.parse::<u64>().map_or(json!(0), |rest| json!(rest));
        app.send_proven("+14152000002", &encoded(&spliced)).await.is(428, "proof_required");
        for unreadable in ["", "no base64!", "e30=", &"A".repeat(3000)] {
            app.send_proven("+14152000002", unreadable).await.is(428, "proof_required");
        }
        assert_eq!(app.send_proven("+14152000002", &good).await.status, 200);
    }

    /// What others do makes it no harder; what one's own network asked for does.
    async fn the_work_grows_with_what_the_own_network_has_used(app) {
        let rules = format!(
            "{RULE}\n[[rule]]\nid = 'network'\non = 'otp.send'\nby = 'ip'\nquota = 10\nper = '1d'\nmode = 'prove'\nceiling = 99\n"
        );
        app.limit(&rules).await;
        app.register("+14152000001").await;
        app.register("+14152000002").await;
        assert_eq!(app.send("+14152000001", None).await.status, 200);
        assert_eq!(app.send("+14152000002", None).await.status, 200);
        let work = async || app.send("+14152000003", None).await.body["proof"]["maxnumber"].as_u64().unwrap();
        let first = work().await;
        for n in 0..8 {
            assert_eq!(app.send(&format!("+1212555010{n}"), None).await.status, 200);
        }
        let later = work().await;
        assert!(later > 2 * first, "{first}, {later}");
        for n in 0..5 {
            let phone = format!("+1212555020{n}");
            let proof = solved(&app.send(&phone, None).await);
            assert_eq!(app.send_proven(&phone, &proof).await.status, 200);
        }
        assert!(work().await > later, "and on, beyond the quota");
    }

    async fn a_shadow_asks_nobody_for_work(app) {
        app.limit(&RULE.replace("'prove'", "'shadow'")).await;
        let refused = async || app.metric("ringback_limiter_decisions_total", &["block", "shadow_refused"]).await;
        let before = refused().await;
        for n in 0..5 {
            let phone = format!("+1415200000{n}");
            app.register(&phone).await;
            assert_eq!(app.send(&phone, None).await.status, 200);
        }
        assert_eq!(refused().await, before + 3.0);
    }
}

/// ALTCHA's own solver and widget, this repository's client and the start page: all of them solve what the service asks for.
#[actix_web::test]
async fn altcha_the_client_and_the_start_page_solve_it() {
    let app = TestApp::start(Backends::Embedded).await;
    app.limit(
        &RULE
            .replace("prefix:7", "prefix:1")
            .replace("ceiling = 4", "ceiling = 40"),
    )
    .await;
    for n in 0..2 {
        app.register(&format!("+1415200000{n}")).await;
        assert_eq!(app.send(&format!("+1415200000{n}"), None).await.status, 200);
    }
    let folder = Folder::new("proofs");
    typescript::build(&app, &folder.0).await;
    let widget = node_modules().join("altcha/dist/main/altcha.umd.cjs");
    fs::copy(widget, folder.0.join("altcha.js")).unwrap();
    fs::write(
        folder.0.join("index.html"),
        "<!doctype html><script src='altcha.js'></script><altcha-widget></altcha-widget>",
    )
    .unwrap();
    drive(&app, "proofs.mjs", Path::new(&folder.0)).await;
}
