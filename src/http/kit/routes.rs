//! Paths, with their methods and both their spellings.

use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, web};

use crate::http::kit::{problem::ApiError, rejection::Rejection};

/// The pattern of the route that a request took: what stands in logs and metrics, in place of the path, which may hold
/// anything.
#[derive(Clone, Copy)]
pub struct Route(&'static str);

impl Route {
    pub fn of(request: &HttpRequest) -> Option<&'static str> {
        request.app_data::<Self>().map(|route| route.0)
    }
}

/// Answers every path that has no route.
pub async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(Rejection::NotFound.into())
}

/// Adds what is read at `path`, with and without a slash behind it.
pub fn get<F, Args>(config: &mut web::ServiceConfig, path: &'static str, handler: F)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    for spelling in spellings(path) {
        let read = web::resource(spelling)
            .app_data(Route(path))
            .route(web::get().to(handler.clone()))
            .route(web::head().to(handler.clone()));
        config.service(read.default_service(web::to(|| refuse_method("GET, HEAD"))));
    }
}

/// The same for what is sent there.
pub fn post<F, Args>(config: &mut web::ServiceConfig, path: &'static str, handler: F)
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    for spelling in spellings(path) {
        let write = web::resource(spelling)
            .app_data(Route(path))
            .route(web::post().to(handler.clone()));
        config.service(write.default_service(web::to(|| refuse_method("POST"))));
    }
}

/// Two routes rather than actix-web's `NormalizePath`, which looks at each path by a regular expression and makes
/// another of it.
fn spellings(path: &str) -> [String; 2] {
    [format!("{path}/"), path.to_owned()]
}

async fn refuse_method(allow: &'static str) -> Result<HttpResponse, ApiError> {
    Err(Rejection::MethodNotAllowed { allow: allow.into() }.into())
}
