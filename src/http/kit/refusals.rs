//! What each operation may refuse, as the OpenAPI document shows it: made of the very answers that clients get.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use actix_web::{HttpResponse, ResponseError, body::MessageBody, http::header};
use serde_json::Value;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, example::ExampleBuilder};

use crate::http::kit::{
    extract::{Faults, Field},
    problem::ApiError,
    rejection::Rejection,
};
use crate::{
    accounts::AccountError,
    limits::{Refusal, Scope},
    unavailable::{Part, Unavailable},
};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// Declares a type that stands for the refusals of an operation in the `responses` of its annotation.
macro_rules! refusals {
    ($name:ident = $($errors:expr),* $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> crate::http::kit::refusals::Responses {
                crate::http::kit::refusals::responses([$(Vec::<crate::http::kit::problem::ApiError>::from($errors)),*])
            }
        }
    };
}
pub(in crate::http) use refusals;

/// The answers of an operation by their status.
pub type Responses = BTreeMap<String, RefOr<Response>>;

/// Where a body is read: `required` are the fields that it has to have.
pub fn body(required: &[&'static str]) -> [ApiError; 5] {
    let mut faults = Faults::default();
    for field in required {
        faults.required(field, Field::Missing, |_| Ok::<(), Infallible>(()));
    }
    [
        faults.into_error(),
        Rejection::MalformedJson.into(),
        Rejection::RequestTimeout.into(),
        Rejection::PayloadTooLarge.into(),
        Rejection::UnsupportedMediaType.into(),
    ]
}

/// Where a bearer token is read, asked for or not.
pub fn bearer() -> Vec<ApiError> {
    let mut refusals = vec![Rejection::NotAuthenticated.into()];
    refusals.extend(token());
    refusals
}

/// Where a token of any kind is judged.
pub fn token() -> [ApiError; 3] {
    [
        AccountError::TokenInvalid.into(),
        AccountError::TokenExpired.into(),
        AccountError::TokenRevoked.into(),
    ]
}

/// Where the rules of the limits file apply; the example is one of those that come with the service.
pub fn limited(rule: &str, quota: u32, per: Duration) -> [ApiError; 1] {
    [AccountError::Limited(refusal(rule, quota, per)).into()]
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
    }
}

/// Where a part is needed that may be away.
pub fn away() -> [ApiError; 1] {
    [Unavailable::timed_out(Part::Database).into()]
}

/// Every error as a named example under its status, with the headers that come along. A fault of ours is possible
/// everywhere.
pub fn responses<const N: usize>(errors: [Vec<ApiError>; N]) -> Responses {
    let mut by_status = BTreeMap::<_, Vec<_>>::new();
    for error in errors.into_iter().flatten().chain([Rejection::Internal.into()]) {
        by_status
            .entry(error.status_code().as_str().to_owned())
            .or_default()
            .push(error.error_response());
    }
    by_status
        .into_iter()
        .map(|(status, answers)| (status, response(answers).into()))
        .collect()
}

fn response(answers: Vec<HttpResponse>) -> Response {
    let mut response = ResponseBuilder::new();
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let mut lines = Vec::new();
    for answer in answers {
        for name in answer
            .headers()
            .keys()
            .filter(|name| *name != header::CONTENT_TYPE)
        {
            let documented = Ref::new(format!("#/components/headers/{name}"));
            response = response.header_ref(name.as_str(), documented);
        }
        let problem = body_of(answer);
        let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        let code = text("code");
        lines.push(format!("`{code}`: {}", text("detail")));
        let example = ExampleBuilder::new().value(Some(problem));
        content = content.examples_from_iter([(code, example)]);
    }
    response
        .description(lines.join("\n\n"))
        .content("application/problem+json", content.build())
        .build()
}

/// The body of a problem, with a request's id in the place of none.
fn body_of(answer: HttpResponse) -> Value {
    let bytes = answer.into_body().try_into_bytes().unwrap_or_default();
    let mut problem = serde_json::from_slice(&bytes).unwrap_or_default();
    if let Value::Object(fields) = &mut problem {
        fields.insert("request_id".to_owned(), crate::http::openapi::REQUEST_ID.into());
    }
    problem
}
