//! An answer of the service, read whole.

use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where the body is no JSON.
    pub body: Value,
    pub raw: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let raw = response.text().await.unwrap();
        let body = serde_json::from_str(&raw).unwrap_or(Value::Null);
        Self {
            status,
            headers,
            body,
            raw,
        }
    }

    /// A text of the body.
    pub fn text(&self, field: &str) -> &str {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text {field} in {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }

    /// The code of a problem, whose form is looked at on the way.
    pub fn code(&self) -> &str {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.body["status"], self.status, "{self:?}");
        assert_eq!(self.text("request_id"), self.header("x-request-id"));
        for field in ["type", "title", "detail"] {
            assert!(!self.text(field).is_empty(), "{self:?}");
        }
        let told = |name: &str| self.headers.contains_key(name);
        assert_eq!(told("www-authenticate"), self.status == 401, "{self:?}");
        assert_eq!(told("allow"), self.status == 405, "{self:?}");
        assert_eq!(told("retry-after"), matches!(self.status, 429 | 503), "{self:?}");
        let code = self.text("code");
        assert_eq!(
            self.body["errors"].is_object(),
            matches!(code, "validation_failed" | "phone_not_supported"),
            "{self:?}"
        );
        code
    }

    /// The fields that a refused body was faulted for, each with a word on it.
    pub fn faulty_fields(&self) -> Vec<&str> {
        self.is(400, "validation_failed");
        let errors = self.body["errors"].as_object().unwrap();
        for (field, faults) in errors {
            let said = faults
                .as_array()
                .unwrap()
                .iter()
                .all(|fault| !fault.as_str().unwrap().is_empty());
            assert!(said && faults != &Value::Array(Vec::new()), "{field} in {self:?}");
        }
        errors.keys().map(String::as_str).collect()
    }

    /// Asserts a problem.
    #[track_caller]
    pub fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
    }
}
