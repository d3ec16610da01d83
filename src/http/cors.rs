//! Which pages of other origins may call the API from a browser: `server.cors_origins`, by the CORS protocol of the Fetch
//! standard.

use actix_web::{
    Error, HttpResponse, Resource,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    guard::{self, GuardContext},
    http::header::{self, HeaderMap, HeaderValue},
    middleware::Next,
    web,
};

use super::Api;

/// The pattern of preflights: every path has them.
pub const ANY_PATH: &str = "/{path:.*}";

const METHODS: &str = "GET, POST";
const REQUEST_HEADERS: &str = "authorization, content-type, x-request-id";
const ANSWER_HEADERS: HeaderValue =
    HeaderValue::from_static("x-request-id, retry-after, ratelimit, ratelimit-policy");
/// Two hours: the most for which browsers remember the answer to a preflight.
const MAX_AGE_SECONDS: u32 = 7200;
/// These are for the service's own pages, whatever is set: any page that a developer opens could read the codes else.
const OWN_PAGES_ONLY: &str = "/dev/";

/// The middleware: lets pages of the origins that are set read the answers, errors as well. Tokens travel in a header and
/// cookies nowhere, so credentials are not allowed.
pub async fn share(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(api) = request.app_data::<web::Data<Api>>() else {
        return next.call(request).await;
    };
    let allowed = allowed(&api.cors_origins, request.headers().get(header::ORIGIN));
    let varies = api.cors_origins != ["*"];
    let mark = |headers: &mut HeaderMap| {
        if varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    };
    match next.call(request).await {
        Ok(mut response) => {
            // By the route, not by the path: that has many spellings.
            let route = response.request().match_pattern();
            if !route.is_some_and(|route| route.starts_with(OWN_PAGES_ONLY)) {
                mark(response.headers_mut());
            }
            Ok(response)
        }
        Err(error) => {
            let mut response = error.as_response_error().error_response();
            mark(response.headers_mut());
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Answers preflights from origins that are allowed; others get the 405 that OPTIONS gets anywhere.
pub fn preflights() -> Resource {
    web::resource(ANY_PATH)
        .guard(guard::Options())
        .guard(guard::fn_guard(is_allowed_preflight))
        .to(async || {
            HttpResponse::NoContent()
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS))
                .finish()
        })
}

fn is_allowed_preflight(context: &GuardContext<'_>) -> bool {
    let headers = context.head().headers();
    headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && context
            .app_data::<web::Data<Api>>()
            .is_some_and(|api| allowed(&api.cors_origins, headers.get(header::ORIGIN)).is_some())
}

/// What a request of this origin is told, if it may read the answer.
fn allowed(origins: &[String], origin: Option<&HeaderValue>) -> Option<HeaderValue> {
    if origins == ["*"] {
        return Some(HeaderValue::from_static("*"));
    }
    origin
        .filter(|origin| {
            origins
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        })
        .cloned()
}
