//! What tests do often, in one call each.

use serde_json::{Value, json};

use super::{Account, Answer, TestApp};

impl TestApp {
    /// Enters a code together with the id of its challenge.
    pub async fn verify_by_id(&self, phone: &str, otp: &str, id: &str, token: Option<&str>) -> Answer {
        self.post_as(
            "/api/users/verify-phone-otp/",
            json!({ "phone": phone, "otp": otp, "challenge_id": id }),
            token,
        )
        .await
    }

    /// A variable that the service was started with.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Whether `me` says that the account's phone is verified.
    pub async fn is_verified(&self, account: &Account) -> bool {
        let me = self.get_as("/api/users/me/", &account.access).await;
        assert_eq!(me.status, 200, "{me:?}");
        me.body["phone_verified"] == true
    }

    /// Every number that got an SMS, the oldest first, once everything that was accepted before is through: another
    /// phone's SMS was waited for, which nothing overtakes by much.
    pub async fn numbers(&self) -> Vec<String> {
        let sentinel = format!("+1999{:07}", self.messages().await.len());
        self.register(&sentinel).await;
        self.code(&sentinel, None).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let numbers = self.messages().await.into_iter().map(|(to, _)| to);
        numbers.filter(|to| !to.starts_with("+1999")).collect()
    }
}

/// The names of an answer's fields.
pub fn fields(answer: &Answer) -> Vec<String> {
    let object = answer.body.as_object();
    let object = object.unwrap_or_else(|| panic!("no object: {answer:?}"));
    object.keys().cloned().collect()
}

/// A body without what differs by nature.
pub fn shape(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    for varying in ["phone", "challenge_id", "request_id"] {
        if let Some(value) = body.get_mut(varying) {
            *value = Value::Null;
        }
    }
    body
}
