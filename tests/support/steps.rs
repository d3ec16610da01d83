//! What tests do often, in one call each.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Account, Answer, PASSWORD, TestApp};

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

    /// A request of any method, with a body and a token where there is one.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>, token: Option<&str>) -> Answer {
        let method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        if let Some(body) = &body {
            request = request.json(body);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::of(request).await
    }

    /// A request that a trusted proxy hands on from a client at this address.
    pub async fn post_from(&self, client: &str, path: &str, body: Value, token: Option<&str>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.address)).json(&body);
        let request = request.header("x-forwarded-for", client);
        Answer::of(
            token
                .into_iter()
                .fold(request, |request, token| request.bearer_auth(token)),
        )
        .await
    }

    /// Asks for a code by SMS with a proof of work.
    pub async fn send_proven(&self, phone: &str, proof: &str) -> Answer {
        let request = self
            .client
            .post(format!("{}/api/users/send-phone-otp/", self.address));
        Answer::of(request.json(&json!({ "phone": phone })).header("x-proof", proof)).await
    }

    /// Signs an account in once more: the new session's access and refresh token.
    pub async fn log_in(&self, account: &Account) -> (String, String) {
        let login = json!({ "email": account.email, "password": PASSWORD });
        let answer = self.post("/api/users/login/", login).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = |field: &str| answer.body["tokens"][field].as_str().unwrap().to_owned();
        (text("access"), text("refresh"))
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
        tokio::time::sleep(Duration::from_millis(100)).await;
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

/// A registration that is good in every field.
pub fn registration(email: &str, phone: &str) -> Value {
    json!({
        "email": email,
        "phone": phone,
        "first_name": "Test",
        "last_name": "User",
        "password": PASSWORD,
        "password_confirm": PASSWORD,
    })
}

/// The code in an SMS.
pub fn digits(body: &str) -> String {
    code_in(body).unwrap_or_else(|| panic!("no code in {body:?}"))
}

/// The code in a message; a notice has none.
pub fn code_in(body: &str) -> Option<String> {
    let mut runs = body.split(|character: char| !character.is_ascii_digit());
    runs.find(|run| run.len() >= 6).map(str::to_owned)
}

/// A code of six digits that is not `code`.
pub fn wrong(code: &str) -> String {
    let first = if code.starts_with('9') { '0' } else { '9' };
    format!("{first}{}", &code[1..])
}

/// Waits for something that happens beside the request, for ten seconds at most.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}
