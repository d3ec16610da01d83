//! Signing in and setting a password anew by code.

use serde_json::{Value, json};

use crate::{Account, Answer, TestApp, code_in, eventually};

const SIGN_IN: &str = "/api/users/login/code/";
const FORGOT: &str = "/api/users/password/forgot/";

/// A code that came, and the id that it is typed with.
#[derive(Debug, Clone)]
pub struct CodeById {
    pub id: String,
    pub code: String,
}

fn address_body(address: &str) -> Value {
    match address.contains('@') {
        true => json!({ "email": address }),
        false => json!({ "phone": address }),
    }
}

impl TestApp {
    /// Asks for a code to sign in by; `address` is a phone or an e-mail address.
    pub async fn login_code(&self, address: &str) -> Answer {
        self.post(SIGN_IN, address_body(address)).await
    }

    /// Asks for a code to reset a password by.
    pub async fn forgot(&self, address: &str) -> Answer {
        self.post(FORGOT, address_body(address)).await
    }

    pub async fn login_by_code(&self, id: &str, otp: &str) -> Answer {
        let body = json!({ "challenge_id": id, "otp": otp });
        self.post("/api/users/login/code/verify/", body).await
    }

    pub async fn reset_password(&self, id: &str, otp: &str, password: &str) -> Answer {
        let body =
            json!({ "challenge_id": id, "otp": otp, "password": password, "password_confirm": password });
        self.post("/api/users/password/reset/", body).await
    }

    /// A code to sign in by, from the message that comes.
    pub async fn code_to_sign_in(&self, address: &str) -> CodeById {
        let before = self.messages_to(address).await;
        let sent = self.login_code(address).await;
        self.code_of(sent, address, &before).await
    }

    /// A code to reset a password by, likewise.
    pub async fn code_to_reset(&self, address: &str) -> CodeById {
        let before = self.messages_to(address).await;
        let sent = self.forgot(address).await;
        self.code_of(sent, address, &before).await
    }

    async fn code_of(&self, sent: Answer, address: &str, before: &[String]) -> CodeById {
        assert_eq!(sent.status, 200, "{sent:?}");
        let code = eventually("a message", async || {
            let mut codes = self.messages_to(address).await;
            codes.retain(|code| !before.contains(code));
            codes.pop()
        });
        CodeById {
            id: sent.text("challenge_id").to_owned(),
            code: code.await,
        }
    }

    /// The codes of all messages to an address, the oldest first.
    pub async fn messages_to(&self, address: &str) -> Vec<String> {
        if address.contains('@') {
            return self.codes_to(address).await;
        }
        let messages = self.messages().await.into_iter();
        let to_it = messages.filter(|(to, _)| to == address);
        to_it.filter_map(|(_, body)| code_in(&body)).collect()
    }

    /// Proves the account's phone with its own token: from then on it opens the account. The cooldown is over after it.
    pub async fn own_phone(&self, account: &Account) {
        let token = Some(account.access.as_str());
        let code = self.code(&account.phone, token).await;
        let answer = self.verify(&account.phone, &code, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.pass(60);
    }

    /// The same for its e-mail address.
    pub async fn own_email(&self, account: &Account) {
        let token = Some(account.access.as_str());
        let code = self.email_code(&account.email, token).await;
        let answer = self.verify_email(&account.email, &code, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.pass(60);
    }

    pub async fn login(&self, login: &str, password: &str) -> Answer {
        let mut body = address_body(login);
        body["password"] = password.into();
        self.post("/api/users/login/", body).await
    }
}
