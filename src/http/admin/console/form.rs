//! Forms: their fields, and how one is shown again that was refused.

use actix_web::{HttpRequest, http::StatusCode};
use serde_json::{Value, json};

use super::{
    cookie::Cookie,
    error::{ConsoleError, status_of},
};
use crate::{
    clock::whole_seconds,
    http::{
        api::Api,
        kit::{
            extract::{Field, FormBody},
            problem::ApiError,
        },
    },
};

/// The fields of a form.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Takes the form of a page that was shown with this cookie.
    ///
    /// # Errors
    /// [`ConsoleError::Forged`].
    pub fn of(
        api: &Api,
        request: &HttpRequest,
        cookie: Cookie,
        body: FormBody,
    ) -> Result<Self, ConsoleError> {
        let form = Self(body.0);
        cookie.demand(api, request, form.text("csrf"))?;
        Ok(form)
    }

    /// A field; empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        let mut fields = self.0.iter();
        fields
            .find(|(found, _)| found == name)
            .map_or("", |(_, text)| text.as_str())
    }

    /// The same, to be judged.
    pub fn field(&self, name: &str) -> Field {
        Field::Word(self.text(name).to_owned())
    }

    /// What was typed, to be shown again in the form of this name.
    pub fn typed(&self, name: &str) -> Value {
        let fields = self.0.iter().filter(|(name, _)| name != "csrf");
        let mut typed: serde_json::Map<_, _> = fields
            .map(|(name, text)| (name.clone(), text.as_str().into()))
            .collect();
        typed.insert("form".to_owned(), name.into());
        typed.into()
    }
}

/// How a page is shown: as it is, or once more since a form on it was refused.
pub struct Refusal {
    pub status: StatusCode,
    /// What was wrong, as the templates take it.
    pub fault: Value,
    pub typed: Value,
}

impl Refusal {
    /// Nothing was refused.
    pub fn none() -> Self {
        Self {
            status: StatusCode::OK,
            fault: Value::Null,
            typed: json!({}),
        }
    }

    /// An error, and what was typed.
    pub fn of(error: &ApiError, typed: Value) -> Self {
        let details = error.details();
        let faults: Vec<_> = details
            .errors
            .iter()
            .flat_map(|(field, faults)| faults.iter().map(move |fault| (field, fault)))
            .map(|(field, fault)| json!({ "field": field.replace('_', " "), "says": fault }))
            .collect();
        let detail = match details.code {
            // What the API says is for programs.
            "second_proof_required" => {
                "This takes a second proof that is less than five minutes old. Nothing was done.".into()
            }
            _ => details.detail.clone(),
        };
        Self {
            status: status_of(&details),
            fault: json!({
                "detail": detail, "faults": faults, "left": details.attempts_remaining,
                "wait": details.retry_after.map(|wait| whole_seconds(wait).max(1)),
            }),
            typed,
        }
    }
}
