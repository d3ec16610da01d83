//! The program on a port of its own, and ways to talk to it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method, Response};
use serde_json::Value;

use crate::program;

pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub const TOKEN: &str = "a-token";

/// The program while it serves; killed when it is dropped.
pub struct Simulator {
    child: Child,
    pub url: String,
    pub client: Client,
}

impl Simulator {
    /// Serves on a free port, and waits until it says that it does.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .args(["--bind", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = said.find_map(|line| {
            line.unwrap()
                .split_once("TWILIO_BASE_URL=")
                .map(|(_, url)| url.to_owned())
        });
        Self {
            child,
            url: url.expect("its address"),
            client: Client::new(),
        }
    }

    /// Posts a message.
    pub async fn send(&self, form: &[(&str, &str)]) -> reqwest::Result<Response> {
        let request = self.client.post(self.messages());
        request.basic_auth(ACCOUNT, Some(TOKEN)).form(form).send().await
    }

    /// Posts a message to this number that must be taken, and answers it.
    pub async fn text(&self, to: &str, body: &str) -> Value {
        let sent = self
            .send(&[("To", to), ("From", "+15005550006"), ("Body", body)])
            .await;
        let sent = sent.unwrap();
        assert_eq!(sent.status(), 201);
        sent.json().await.unwrap()
    }

    /// Looks messages up by this query.
    pub async fn look_up(&self, query: &[(&str, &str)]) -> Value {
        let mut url = reqwest::Url::parse(&self.messages()).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        self.ask(url.as_str()).await.json().await.unwrap()
    }

    /// Gets a path, or a whole URL, as the account.
    pub async fn ask(&self, path: &str) -> Response {
        let url = match path.starts_with('/') {
            true => format!("{}{path}", self.url),
            false => path.to_owned(),
        };
        let request = self.client.get(url).basic_auth(ACCOUNT, Some(TOKEN));
        request.send().await.unwrap()
    }

    pub async fn stats(&self) -> Value {
        self.ask("/stats.json").await.json().await.unwrap()
    }

    /// What it took, the newest first.
    pub async fn taken(&self) -> Vec<Value> {
        self.ask("/messages.json").await.json().await.unwrap()
    }

    /// Sets a profile, and answers the status.
    pub async fn faults(&self, profile: &Value) -> u16 {
        let request = self.client.request(Method::POST, format!("{}/faults", self.url));
        request.json(profile).send().await.unwrap().status().as_u16()
    }

    pub fn messages(&self) -> String {
        format!("{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self.url)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("twilio-sim"));
    command.args(arguments).env_clear();
    command
}

/// Waits until it is so.
pub async fn until<F: Future<Output = bool>>(what: &str, is: impl Fn() -> F) {
    for _ in 0..1000 {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within ten seconds");
}
