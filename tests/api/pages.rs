//! The pages: start page, reference and inbox load nothing from elsewhere, and run nothing but their own.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::support::{Backends, TestApp};

#[actix_web::test]
async fn a_page_runs_its_own_script_and_names_no_other_host() {
    let app = TestApp::start(Backends::Embedded).await;
    for path in ["/", "/docs", "/docs/", "/dev/inbox", "/dev/inbox/"] {
        let page = app.get(path).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        for (directive, element) in [("script-src", "script"), ("style-src", "style")] {
            let (_, after) = page.raw.split_once(&format!("<{element}>")).unwrap();
            let (text, _) = after.split_once(&format!("</{element}>")).unwrap();
            let hash = BASE64_STANDARD.encode(Sha256::digest(text));
            assert!(
                policy.contains(&format!("{directive} 'sha256-{hash}'")),
                "{path}: {policy}"
            );
        }
        for source in policy.split([' ', ';']) {
            assert!(!source.contains("//") && source != "*", "{policy}");
        }
        assert!(!page.raw.contains("://"), "{path} names another host");
    }
}

#[actix_web::test]
async fn all_that_the_reference_loads_is_there() {
    let app = TestApp::start(Backends::Embedded).await;
    let page = app.get("/docs/").await.raw;
    let named: BTreeSet<_> = page
        .split(['"', '\''])
        .filter(|text| text.starts_with('/') && !text.contains(' '))
        .collect();
    let kinds = [
        ("/docs/favicon-32x32.png", "image/png"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-ui.css", "text/css"),
        ("/openapi.json", "application/json"),
    ];
    assert_eq!(named, kinds.iter().map(|(path, _)| *path).collect());
    for (path, kind) in kinds {
        let answer = app.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, kind),
            "{path}"
        );
        assert!(!answer.raw.is_empty(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let bundle = app
        .client
        .get(format!("{}/docs/swagger-ui-bundle.js", app.address))
        .send()
        .await
        .unwrap();
    assert_eq!(bundle.headers()["content-encoding"], "gzip");
    assert!(bundle.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
    for path in [
        "/docs/index.html",
        "/docs/swagger-initializer.js",
        "/docs/..%2fCargo.toml",
        "/docs/none.js",
    ] {
        app.get(path).await.is(404, "not_found");
    }
}

#[actix_web::test]
async fn the_start_page_is_served_where_it_is_switched_on() {
    let production = [
        ("RINGBACK_ENV", "production"),
        ("RINGBACK_SECRET", "y+7sZoTuK5bS/hUOJJ0nuUCm3I1AOEJirEKnwUoIX6A="),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
        ("RINGBACK__SERVER__START_PAGE", "true"),
    ];
    let app = TestApp::start_with(Backends::Servers, &production[..3]).await;
    app.get("/").await.is(404, "not_found");
    let switched_on = TestApp::start_with(Backends::Servers, &production).await;
    assert_eq!(switched_on.get("/").await.status, 200);
    let off = [("RINGBACK__SERVER__START_PAGE", "false")];
    let switched_off = TestApp::start_with(Backends::Embedded, &off).await;
    switched_off.get("/").await.is(404, "not_found");
}
