//! New passwords: which rule refuses one, and that the answer names it.

use std::fs;

use serde_json::json;

use crate::support::{Answer, Backends, TestApp, on_both, registration};

const REGISTER: &str = "/api/users/register/";

/// SHA-1 of "correct-horse-battery" between two others, as such lists are published.
const STOLEN: &str = "00000099A4D3034E14DF60EF50799F695C27C0EC:57\r\n\
                      F97979FF44A9A1A4105F4BAE6FE809715E0A0A84:3\r\n\
                      FFFFFFFEE791CBAC0F6305CAF0CEE06BBE131160:11\r\n";

async fn register_with(app: &TestApp, password: &str) -> Answer {
    let mut body = registration("Jane.Brontë@example.com", "+14152000001");
    body["first_name"] = json!("Charlotte");
    body["password"] = json!(password);
    body["password_confirm"] = json!(password);
    app.post(REGISTER, body).await
}

/// The one thing that is said about the password.
fn said(answer: &Answer) -> &str {
    assert_eq!(answer.faulty_fields(), ["password"], "{answer:?}");
    let said = answer.body["errors"]["password"].as_array().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    said[0].as_str().unwrap()
}

on_both! {
    async fn a_password_is_not_the_person_or_the_service_in_another_spelling(app) {
        for password in ["jane.brontë@example.com", "JANE BRONTE", "Bronte-1847!", "charlotte2026", "User, Charlotte",
                         "4152000001", "+1 415 200 00 01", "001-415-200-0001"] {
            assert!(said(&register_with(&app, password).await).contains("e-mail address, phone number or name"), "{password}");
        }
        for password in ["ringback", "Ring-Back 2026!", "ringback_ringback"] {
            assert!(said(&register_with(&app, password).await).contains("name of this service"), "{password}");
        }
        assert_eq!(register_with(&app, "charlotte keeps quiet otters").await.status, 201);
    }
}

#[actix_web::test]
async fn the_least_length_is_set_by_the_operator() {
    let variables = [("RINGBACK__PASSWORDS__MIN_LENGTH", "15")];
    let app = TestApp::start_with(Backends::Embedded, &variables).await;
    assert_eq!(
        said(&register_with(&app, "quiet-otter-47").await),
        "A password has at least 15 characters."
    );
    assert_eq!(register_with(&app, "quiet-otter-478").await.status, 201);
}

#[actix_web::test]
async fn a_stolen_password_is_refused_as_long_as_the_list_can_be_read() {
    let path = std::env::temp_dir().join(format!("ringback-stolen-{}", std::process::id()));
    fs::write(&path, STOLEN).unwrap();
    let variables = [("RINGBACK__PASSWORDS__BREACH_FILE", path.to_str().unwrap())];
    let app = TestApp::start_with(Backends::Embedded, &variables).await;
    let refused = register_with(&app, "correct-horse-battery").await;
    assert!(said(&refused).contains("stolen"), "{refused:?}");
    fs::remove_file(&path).unwrap();
    assert_eq!(register_with(&app, "correct-horse-battery").await.status, 201);
}
