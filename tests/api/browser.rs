//! The pages in a real browser.

use std::{path::Path, process::Command};

use crate::{
    clients::run,
    support::{Backends, TestApp, node_modules},
};

/// Runs a program of `tests/api/browser/` against the service. It drives a browser by playwright, and may serve `folder`.
pub async fn drive(app: &TestApp, program: &str, folder: &Path) {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/browser");
    let mut node = Command::new("node");
    node.arg(program)
        .env("ADDRESS", &app.address)
        .env("NODE_MODULES", node_modules())
        .env("FOLDER", folder);
    run(&programs, node).await;
}

#[actix_web::test]
async fn a_newcomer_signs_up_on_the_start_page_and_verifies_the_phone() {
    let app = TestApp::start(Backends::Embedded).await;
    drive(&app, "start_page.mjs", Path::new("")).await;
}

#[actix_web::test]
async fn a_newcomer_proves_the_address_first_where_an_account_is_made_with_a_code_alone() {
    let required = [("RINGBACK__ACCOUNTS__REGISTER_CODE", "required")];
    let app = TestApp::start_with(Backends::Embedded, &required).await;
    drive(&app, "start_page_code.mjs", Path::new("")).await;
}

#[actix_web::test]
async fn the_start_page_bears_a_second_tab_a_reload_and_a_double_click() {
    let app = TestApp::start(Backends::Embedded).await;
    drive(&app, "start_page_again.mjs", Path::new("")).await;
}

#[actix_web::test]
async fn the_pages_can_be_read_by_everybody() {
    let app = TestApp::start(Backends::Embedded).await;
    drive(&app, "accessible.mjs", Path::new("")).await;
}
