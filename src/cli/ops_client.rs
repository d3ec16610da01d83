//! The way to the running service's ops port.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

const NO_TLS: &str = "TLS cannot be set up. Does this machine trust any authority (Debian's package ca-certificates, or \
                      SSL_CERT_FILE)?";

/// Why the service gave no answer that helps.
#[derive(Debug, Error)]
pub enum OpsError {
    #[error("no service answers at {0}: is it running, and is that its address?")]
    Unreachable(String),
    /// It understood, and what was asked for is wrong.
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    Failed(String),
}

/// Speaks to one service.
pub struct OpsClient {
    url: String,
    token: Option<SecretString>,
    client: reqwest::Client,
}

impl OpsClient {
    /// For the service at `url`, such as `http://127.0.0.1:8001`, which may want a token.
    ///
    /// # Errors
    /// [`OpsError::Failed`] when this machine's TLS can't be set up.
    pub fn new(url: &str, token: Option<SecretString>) -> Result<Self, OpsError> {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            token,
            client: client.map_err(|_| OpsError::Failed(NO_TLS.to_owned()))?,
        })
    }

    /// The text at a path.
    ///
    /// # Errors
    /// See [`OpsError`].
    pub async fn get(&self, path: &str) -> Result<String, OpsError> {
        self.answer(self.client.get(format!("{}{path}", self.url))).await
    }

    /// What it answers to a JSON body.
    ///
    /// # Errors
    /// See [`OpsError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, OpsError> {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        let text = self.answer(request).await?;
        serde_json::from_str(&text).map_err(|_| self.strange())
    }

    /// Whether it is ready.
    ///
    /// # Errors
    /// [`OpsError::Failed`] with what is down; others as for [`OpsClient::get`].
    pub async fn readiness(&self) -> Result<(), OpsError> {
        let unreachable = |_| OpsError::Unreachable(self.url.clone());
        let request = self.client.get(format!("{}/readyz", self.url));
        let response = request.send().await.map_err(unreachable)?;
        let is_ready = response.status().is_success();
        let text = response.text().await.map_err(unreachable)?;
        let report: Value = serde_json::from_str(&text).map_err(|_| self.strange())?;
        let down = report["down"].as_array().ok_or_else(|| self.strange())?;
        let down: Vec<_> = down.iter().filter_map(Value::as_str).collect();
        match is_ready {
            true => Ok(()),
            false => Err(OpsError::Failed(format!("not ready: {}", down.join(", ")))),
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<String, OpsError> {
        let unreachable = |_| OpsError::Unreachable(self.url.clone());
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).map_err(|_| self.strange())?;
        Err(if status.as_u16() == 400 {
            OpsError::Wrong(faults(&problem))
        } else {
            OpsError::Failed(problem["detail"].as_str().unwrap_or("no detail").to_owned())
        })
    }

    fn strange(&self) -> OpsError {
        OpsError::Failed(format!("{} answers, but not as this service does", self.url))
    }
}

/// What is wrong with each field, in one line.
fn faults(problem: &Value) -> String {
    let of_field = |(name, faults): (&String, &Value)| {
        let faults = faults.as_array().into_iter().flatten().filter_map(Value::as_str);
        format!("{name}: {}", faults.collect::<Vec<_>>().join(" "))
    };
    let fields = problem["errors"].as_object().into_iter().flatten().map(of_field);
    fields.collect::<Vec<_>>().join("; ")
}
