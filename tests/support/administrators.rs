//! Administrators: accounts with a role, and their sessions with a second proof.

use serde_json::{Value, json};

use crate::{Account, Answer, PASSWORD, TestApp, eventually};

/// An account with a role, and a session of it with a second proof.
#[derive(Debug, Clone)]
pub struct Administrator {
    pub account: Account,
    pub access: String,
    pub refresh: String,
}

impl TestApp {
    /// A call of the administrators' port.
    pub async fn administer(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        token: Option<&str>,
    ) -> Answer {
        let method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.admin));
        if let Some(body) = &body {
            request = request.json(body);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::of(request).await
    }

    /// Gives an account a role, as an operator does.
    pub async fn grant(&self, account: &Account, role: &str) {
        let time = match self.variable("DATABASE_URL") {
            Some(_) => "now()",
            None => "1",
        };
        let id = &account.id;
        self.sql(format!("DELETE FROM administrators WHERE user_id = '{id}'"))
            .await;
        self.sql(format!(
            "INSERT INTO administrators (user_id, role, granted_at) VALUES ('{id}', '{role}', {time})"
        ))
        .await;
    }

    /// Somebody new with a proven phone and e-mail address, a role, and a session with a second proof.
    pub async fn administrator(&self, role: &str, phone: &str) -> Administrator {
        let account = self.register(phone).await;
        self.own_email(&account).await;
        self.own_phone(&account).await;
        self.grant(&account, role).await;
        self.prove(&account).await
    }

    /// Signs an account in once more, and gives the second proof by its phone.
    pub async fn prove(&self, account: &Account) -> Administrator {
        self.pass(60);
        let (token, _) = self.log_in(account).await;
        self.prove_from(account, &token).await
    }

    /// Gives the second proof for a session.
    pub async fn prove_from(&self, account: &Account, token: &str) -> Administrator {
        let before = self.messages_to(&account.phone).await;
        let sent = self
            .administer("POST", "/api/admin/session/", None, Some(token))
            .await;
        assert_eq!(sent.status, 200, "{sent:?}");
        let code = eventually("a code", async || {
            let mut codes = self.messages_to(&account.phone).await;
            codes.retain(|code| !before.contains(code));
            codes.pop()
        })
        .await;
        let body = json!({ "challenge_id": sent.text("challenge_id"), "otp": code });
        let proven = self
            .administer("POST", "/api/admin/session/verify/", Some(body), Some(token))
            .await;
        assert_eq!(proven.status, 200, "{proven:?}");
        let text = |field: &str| proven.body["tokens"][field].as_str().unwrap().to_owned();
        Administrator {
            account: account.clone(),
            access: text("access"),
            refresh: text("refresh"),
        }
    }

    /// Locks an account, for a reason.
    pub async fn lock_as(&self, id: &str, token: &str) -> Answer {
        let body = json!({ "reason": "it was stolen" });
        self.administer(
            "POST",
            &format!("/api/admin/users/{id}/lock/"),
            Some(body),
            Some(token),
        )
        .await
    }

    /// Whether the account signs in by its password.
    pub async fn signs_in(&self, account: &Account) -> bool {
        self.login(&account.email, PASSWORD).await.status == 200
    }
}
