//! Codes by e-mail: asked for, entered, and read from the development inbox, where they go without a mail server.

use serde_json::json;

use crate::{Answer, TestApp, code_in, eventually};

impl TestApp {
    pub async fn send_email(&self, email: &str, token: Option<&str>) -> Answer {
        self.post_as("/api/users/send-email-otp/", json!({ "email": email }), token)
            .await
    }

    pub async fn verify_email(&self, email: &str, otp: &str, token: Option<&str>) -> Answer {
        let body = json!({ "email": email, "otp": otp });
        self.post_as("/api/users/verify-email-otp/", body, token).await
    }

    /// Has a code sent and reads it from the e-mail that comes of it.
    pub async fn email_code(&self, email: &str, token: Option<&str>) -> String {
        let before = self.codes_to(email).await;
        let answer = self.send_email(email, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        eventually("an e-mail", async || {
            let mut codes = self.codes_to(email).await;
            codes.retain(|code| !before.contains(code));
            codes.pop()
        })
        .await
    }

    /// The codes of all e-mails to an address, the oldest first.
    pub async fn codes_to(&self, email: &str) -> Vec<String> {
        let inbox = self.get("/dev/inbox.json").await;
        let messages = inbox.body.as_array().unwrap().iter().rev();
        let to_it = messages.filter(|message| message["channel"] == "email" && message["to"] == email);
        to_it
            .filter_map(|message| code_in(message["body"].as_str().unwrap()))
            .collect()
    }
}
