//! E-mail addresses proven by code: as phones are, and apart from them.

use serde_json::json;

use crate::support::{Backends, TestApp};

#[actix_web::test]
async fn without_a_way_to_send_e_mail_no_code_is_asked_for_in_vain() {
    let variables = [
        ("RINGBACK_ENV", "production"),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
        ("RINGBACK_SECRET", "9NUgm2Hb0aVtUYOzuQsxK1gO8aOS2Vxm1d1EoYYb3Zk="),
    ];
    let app = TestApp::start_with(Backends::Servers, &variables).await;
    let email = json!({ "email": "jane@example.com" });
    let code = json!({ "email": "jane@example.com", "otp": "123456" });
    for (path, body) in [("send-email-otp", email), ("verify-email-otp", code)] {
        let answer = app.post(&format!("/api/users/{path}/"), body).await;
        answer.is(503, "mail_not_configured");
        assert!(!answer.header("retry-after").is_empty());
    }
}
