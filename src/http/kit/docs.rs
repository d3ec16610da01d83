//! What the OpenAPI document says of one operation. A handler's file says it, of the very types and errors that clients
//! get.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    accounts::AccountError,
    flows::FlowError,
    http::kit::{
        problem_docs::{self, header_ref},
        rejection::Rejection,
    },
    limits::{Denied, Refusal, Scope, SolvedWork},
    problem::{FieldErrors, Problem, ProblemDetails, WorkChallenge},
    unavailable::{Part, Unavailable},
};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// A phone, in examples: good under every `phone.check`.
pub const PHONE: &str = "+14155552671";
/// An e-mail address, in examples.
pub const EMAIL: &str = "jane@example.com";
/// The id of a challenge, in examples.
pub const CHALLENGE_ID: &str = "3f2b8c4d-1e6a-4f70-8b9c-0d1e2f3a4b5c";

/// A challenge to a proof of work, in examples, and its solution.
fn example_work() -> WorkChallenge {
    WorkChallenge {
        algorithm: "SHA-256".to_owned(),
        challenge: "4f03f4f3478b48927300f5fce42cf66feb4f16a596de9321140ac6b507b79d7a".to_owned(),
        max_number: 20_000,
        salt: "8a5f0c3d9b7e1246aa01b2c3?expires=1764190920&for=Vq3mB0kZ6l9cXo2tYw8eRg&".to_owned(),
        signature: "5d0f3e4b9c1a6877e2b4d9f00a1c3e5f7092b4d6e8fa0c1e3f507192b3d4f5a6".to_owned(),
    }
}
const EXAMPLE_PROOF: &str = "eyJhbGdvcml0aG0iOiJTSEEtMjU2IiwiY2hhbGxlbmdlIjoiNGYwM2Y0ZjM0NzhiNDg5MjczMDBmNWZjZTQyY2Y2NmZlYjRmMTZhNTk2ZGU5MzIxMTQwYWM2YjUwN2I3OWQ3YSIsIm51bWJlciI6MTIzNDUsInNhbHQiOiI4YTVmMGMzZDliN2UxMjQ2YWEwMWIyYzM/ZXhwaXJlcz0xNzY0MTkwOTIwJmZvcj1WcTNtQjBrWjZsOWNYbzJ0WXc4ZVJnJiIsInNpZ25hdHVyZSI6IjVkMGYzZTRiOWMxYTY4NzdlMmI0ZDlmMDBhMWMzZTVmNzA5MmI0ZDZlOGZhMGMxZTNmNTA3MTkyYjNkNGY1YTYifQ==";

/// Under which heading an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    Accounts,
    Phones,
    Emails,
    Sessions,
    Receipts,
    Operations,
    Administration,
    Documents,
    Development,
}

impl Tag {
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Accounts, "Create an account, and see one's own."),
        (Self::Phones, "Verify a phone by a code that comes by SMS."),
        (Self::Emails, "Verify an e-mail address by a code."),
        (
            Self::Sessions,
            "Sign in, renew tokens, sign out; the keys to check tokens with.",
        ),
        (
            Self::Receipts,
            "For providers of SMS, which report here; not for frontends.",
        ),
        (
            Self::Operations,
            "For load balancers and monitoring. `/metrics` is on another port.",
        ),
        (
            Self::Administration,
            "For administrators, on a port of their own. Each call is kept as an event.",
        ),
        (Self::Documents, "This document, and pages to read it and try it."),
        (
            Self::Development,
            "Only in development, while no SMS provider is set; else 404.",
        ),
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "Accounts",
            Self::Phones => "Phones",
            Self::Emails => "E-mail addresses",
            Self::Sessions => "Sessions",
            Self::Receipts => "Receipts",
            Self::Operations => "Operations",
            Self::Administration => "Administration",
            Self::Documents => "Documents",
            Self::Development => "Development",
        }
    }
}

/// What is said of one operation.
pub struct Docs {
    operation: Value,
    parameters: Vec<Value>,
    answers: BTreeMap<String, Value>,
    refusals: Vec<ProblemDetails>,
    schemas: BTreeMap<String, Value>,
}

impl Docs {
    pub fn new(id: &str, tag: Tag, summary: &str) -> Self {
        Self {
            // Open to all, unless it is said.
            operation: json!({ "tags": [tag.name()], "summary": summary, "operationId": id, "security": [] }),
            parameters: Vec::new(),
            answers: BTreeMap::new(),
            // A fault of the service is possible everywhere.
            refusals: vec![Rejection::Internal.details()],
            schemas: BTreeMap::new(),
        }
    }

    /// More than fits into the summary.
    pub fn text(mut self, text: &str) -> Self {
        self.operation["description"] = text.into();
        self
    }

    /// A word of our own on the operation.
    pub fn extension(mut self, name: &str, value: Value) -> Self {
        self.operation[name] = value;
        self
    }

    /// A bearer token is needed.
    pub fn bearer(mut self) -> Self {
        self.operation["security"] = json!([{ "bearer": [] }]);
        self.refuses([Rejection::NotAuthenticated]).token()
    }

    /// A bearer token may come along.
    pub fn optional_bearer(mut self) -> Self {
        // What the document says for all: generators demand a token where an operation names one.
        if let Some(operation) = self.operation.as_object_mut() {
            operation.remove("security");
        }
        self.refuses([Rejection::NotAuthenticated]).token()
    }

    /// A code is judged.
    pub fn judges_a_code(self) -> Self {
        self.refuses_codes().limited("otp-verify-per-ip", 1200, HOUR)
    }

    /// A code may come along.
    pub fn refuses_codes(self) -> Self {
        self.refuses([
            FlowError::Wrong {
                attempts_remaining: 2,
            },
            FlowError::AttemptsExceeded,
            FlowError::Expired,
        ])
    }

    /// A token of some kind is judged.
    pub fn token(self) -> Self {
        self.refuses([
            AccountError::TokenInvalid,
            AccountError::TokenExpired,
            AccountError::TokenRevoked,
        ])
    }

    /// A parameter: a text, by its place (`path`, `query`, `header`) and its schema.
    pub fn parameter(mut self, place: &str, name: &str, text: &str, schema: Value, example: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": place, "description": text, "required": place == "path", "schema": schema,
            "example": example,
        }));
        self
    }

    /// What it sends is in the language that is asked for, if there is a text in it.
    pub fn in_language(self) -> Self {
        self.parameter(
            "header",
            "Accept-Language",
            "What messages are to be written in (RFC 9110); else they are in the service's own language.",
            json!({ "type": "string" }),
            "pt-BR, pt;q=0.9, en;q=0.5",
        )
    }

    /// A JSON body; `required` are the fields that it has to have.
    pub fn body<T: ToSchema>(mut self, required: &[&'static str], examples: &[(&str, Value)]) -> Self {
        let mut content = json!({ "schema": self.schema::<T>() });
        match examples {
            [(_, example)] => content["example"] = example.clone(),
            _ => {
                for (name, example) in examples {
                    content["examples"][name] = json!({ "value": example });
                }
            }
        }
        self.operation["requestBody"] =
            json!({ "content": { "application/json": content }, "required": true });
        let missing = required
            .iter()
            .map(|&field| (field, vec!["This field is required.".into()]));
        let missing = FieldErrors::from_iter(missing);
        // Where nothing is required, the operation says what is refused.
        let faulty = (!missing.is_empty()).then_some(Rejection::Fields(missing));
        self.refuses(faulty).refuses([
            Rejection::MalformedJson,
            Rejection::RequestTimeout,
            Rejection::PayloadTooLarge,
            Rejection::UnsupportedMediaType,
        ])
    }

    /// A JSON body that may come along, with one field.
    pub fn optional_body<T: ToSchema>(mut self, field: &'static str, example: Value) -> Self {
        let content = json!({ "schema": self.schema::<T>(), "example": example });
        self.operation["requestBody"] =
            json!({ "content": { "application/json": content }, "required": false });
        let faulty = [(field, vec!["This must be a text.".into()])];
        self.refuses([
            Rejection::Fields(FieldErrors::from_iter(faulty)),
            Rejection::MalformedJson,
            Rejection::RequestTimeout,
            Rejection::PayloadTooLarge,
            Rejection::UnsupportedMediaType,
        ])
    }

    /// The fields of a form, whatever they are.
    pub fn form(mut self, text: &str) -> Self {
        let schema = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        self.operation["requestBody"] = json!({
            "description": text,
            "content": { "application/x-www-form-urlencoded": { "schema": schema } },
            "required": true,
        });
        self.refuses([Rejection::RequestTimeout, Rejection::PayloadTooLarge])
    }

    /// A JSON answer.
    pub fn answers<T: ToSchema + Serialize>(self, status: u16, text: &str, example: &T) -> Self {
        self.answers_value::<T>(status, text, json!(example))
    }

    /// The same for an example that is made elsewhere.
    pub fn answers_value<T: ToSchema>(mut self, status: u16, text: &str, example: Value) -> Self {
        let schema = self.schema::<T>();
        self.answer(
            status,
            text,
            json!({ "application/json": { "schema": schema, "example": example } }),
        )
    }

    /// A page.
    pub fn page(self, status: u16, text: &str) -> Self {
        self.answer(
            status,
            text,
            json!({ "text/html": { "schema": { "type": "string" } } }),
        )
    }

    /// A JSON answer that is a list.
    pub fn answers_list<T: ToSchema + Serialize>(mut self, status: u16, text: &str, example: &[T]) -> Self {
        let schema = json!({ "type": "array", "items": self.schema::<T>() });
        self.answer(
            status,
            text,
            json!({ "application/json": { "schema": schema, "example": example } }),
        )
    }

    /// An answer of another kind, or none: what stands under `content`.
    pub fn answer(mut self, status: u16, text: &str, content: Value) -> Self {
        let mut answer =
            json!({ "description": text, "headers": { "x-request-id": header_ref("x-request-id") } });
        if content.is_object() {
            answer["content"] = content;
        }
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// A header of the answers with this status.
    pub fn with_header(mut self, status: u16, name: &str) -> Self {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            answer["headers"][name] = header_ref(name);
        }
        self
    }

    /// What it may refuse.
    pub fn refuses<E: Problem>(mut self, errors: impl IntoIterator<Item = E>) -> Self {
        self.refusals
            .extend(errors.into_iter().map(|error| error.details()));
        self
    }

    /// The rules of the limits file apply; the example is one of those that come with the service.
    pub fn limited(self, rule: &str, quota: u32, per: Duration) -> Self {
        self.refuses([Denied::Refused(refusal(rule, quota, per))])
    }

    /// It sends a code: over the quota of some rules a request passes that brings a proof of work.
    pub fn asks_for_work(self) -> Self {
        let required = FlowError::ProofRequired(Box::new(example_work()));
        self.parameter(
            "header",
            "X-Proof",
            "The solution of the `proof` of an answer 428: base64 of a JSON object with `algorithm`, `challenge`, `number`, `salt` \
             and `signature`, as the ALTCHA widget gives it.",
            json!({ "type": "string", "maxLength": SolvedWork::MAX_HEADER }),
            EXAMPLE_PROOF,
        )
        .refuses([required])
    }

    /// It needs a part that may be down.
    pub fn unavailable(self) -> Self {
        self.refuses([Unavailable::timed_out(Part::Database)])
    }

    /// The operation, and the schemas that it names.
    pub fn finish(mut self) -> (Value, BTreeMap<String, Value>) {
        let (problems, schemas) = problem_docs::answers(self.refusals);
        self.answers.extend(problems);
        self.schemas.extend(schemas);
        self.operation["responses"] = json!(self.answers);
        if !self.parameters.is_empty() {
            self.operation["parameters"] = json!(self.parameters);
        }
        (self.operation, self.schemas)
    }

    fn schema<T: ToSchema>(&mut self) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        let reference = json!({ "$ref": format!("#/components/schemas/{}", T::name()) });
        self.schemas
            .extend(found.into_iter().map(|(name, schema)| (name, json!(schema))));
        reference
    }
}

/// A rule's refusal, after half of its time.
pub fn refusal(rule: &str, quota: u32, per: Duration) -> Refusal {
    Refusal {
        rule: rule.into(),
        scope: Scope::Cluster,
        retry_after: per / 2,
        quota,
        per,
        burst: quota,
        work: None,
    }
}
