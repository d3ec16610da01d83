//! What an SMS says: in the language that a client asks for, with the lines that browsers and apps read.

use serde_json::json;

use crate::support::{Answer, Backends, TestApp, digits, eventually, on_both};

const PHONE: &str = "+14152000001";

/// Has a code sent by a client that accepts these languages, and gives the SMS.
async fn message(app: &TestApp, accepted: &[&str]) -> String {
    let before = app.messages().await.len();
    let request = app
        .request("POST", "/api/users/send-phone-otp/")
        .json(&json!({ "phone": PHONE }));
    let request = accepted
        .iter()
        .fold(request, |request, list| request.header("accept-language", *list));
    let sent = Answer::of(request).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    let (_, body) = eventually("an SMS", async || app.messages().await.into_iter().nth(before)).await;
    app.pass(61);
    body
}

on_both! {
    async fn an_sms_is_in_the_language_that_its_reader_asks_for(app) {
        app.register(PHONE).await;
        for (accepted, part) in [
            (&[][..], "Don't share it."),
            (&["de"], "Bitte nicht weitergeben."),
            (&["pt-BR, pt;q=0.9, en;q=0.5"], "Nunca o divulgue."),
            (&["tlh, fr;q=0.4, es;q=0.5"], "No la compartas."),
            (&["en;q=0.1", "FR-ca"], "Ne le partagez pas."),
            (&["hi"], "मान्य"),
            (&["ar-EG, en"], "المدة"),
            (&["ja;q=1.0"], "他人に教えないでください"),
            (&["tlh"], "Don't share it."),
            (&["de;q=0, *"], "Don't share it."),
            (&["de;q=zwei, ?", "en_US;;;,,,q=1"], "Don't share it."),
        ] {
            let body = message(&app, accepted).await;
            assert!(body.contains(part), "{accepted:?}: {body}");
            assert!(body.contains("Ringback") && body.contains("10"), "{body}");
        }
        let long = "de,".repeat(2000);
        assert!(message(&app, &[&long]).await.contains("Don't share it."));
        let code = digits(&message(&app, &["ja"]).await);
        assert_eq!(app.verify(PHONE, &code, None).await.status, 200);
    }
}

/// An instance takes over what another was asked for: the language is in the outbox.
#[actix_web::test]
async fn whoever_takes_an_sms_over_writes_it_in_the_same_language() {
    let app = TestApp::start_with(Backends::Servers, &[("RINGBACK__DELIVERY__LEASE", "1s")]).await;
    app.register(PHONE).await;
    let provider = app.provider.clone().unwrap();
    provider.fail(Some((503, 20503)));
    let request = app
        .request("POST", "/api/users/send-phone-otp/")
        .json(&json!({ "phone": PHONE }));
    let sent = Answer::of(request.header("accept-language", "de")).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    eventually("a refusal", async || (provider.refused() > 0).then_some(())).await;
    let sibling = app.sibling().await;
    let TestApp { running, .. } = app;
    running.unwrap().stop().await;
    provider.fail(None);
    let (_, body) = eventually("an SMS", async || sibling.messages().await.pop()).await;
    assert!(body.contains("weitergeben"), "{body}");
}

#[actix_web::test]
async fn browsers_and_apps_find_the_code_at_the_end() {
    let app = TestApp::start_with(
        Backends::Embedded,
        &[
            ("RINGBACK__SMS__WEBOTP_DOMAIN", "example.com"),
            ("RINGBACK__SMS__ANDROID_HASH", "FA+9qCX9VSu"),
        ],
    )
    .await;
    app.register(PHONE).await;
    for language in ["en", "ar"] {
        let body = message(&app, &[language]).await;
        let code = digits(&body);
        let last = body.lines().last().unwrap();
        assert_eq!(last, format!("@example.com #{code} FA+9qCX9VSu"));
        assert_eq!(body.lines().count(), 2, "{body}");
    }
}

#[actix_web::test]
async fn an_operators_folder_is_in_force_from_the_start() {
    let prepared = TestApp::prepare(Backends::Embedded, &[]).await;
    let folder = prepared.folder.0.join("config/messages");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("verify_phone.en.txt"), "Tell nobody: {code}").unwrap();
    std::fs::write(folder.join("verify_phone.tlh.txt"), "ngoq: {code}").unwrap();
    let app = prepared.start().await;
    app.register(PHONE).await;
    assert!(message(&app, &[]).await.starts_with("Tell nobody: "));
    assert!(message(&app, &["tlh-Latn"]).await.starts_with("ngoq: "));
    assert!(message(&app, &["de"]).await.contains("weitergeben"));
}

#[actix_web::test]
async fn the_start_says_which_texts_cost_more_than_one_sms() {
    let variables = [("RINGBACK__MESSAGES__BRAND", "Кольцо без конца")];
    let prepared = TestApp::prepare(Backends::Embedded, &variables).await;
    let (process, _app) = prepared.spawn().await;
    let output = process.output();
    let told = |language: &str| {
        let mut lines = output.lines();
        let about = format!("Each SMS in \"{language}\" takes 2 segments");
        lines.any(|line| line.contains(&about))
    };
    assert!(told("fr") && !told("ja"), "{output}");
}
