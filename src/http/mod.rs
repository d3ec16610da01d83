//! The outside: every route, one file a resource. Handlers extract, parse, make one call, answer.

mod auth;
mod client;
mod cors;
mod docs;
mod extract;
mod health;
mod inbox;
mod language;
mod limits;
mod observe;
mod openapi;
mod otp;
mod otp_status;
mod page;
mod problem;
mod receipts;
mod refusals;
mod server;
mod sessions;
mod users;

use std::{sync::Arc, time::Duration};

use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, web};
use ipnet::IpNet;

use crate::{
    accounts::Accounts,
    challenges::Otp,
    phone::PhoneCheck,
    readiness::Readiness,
    sms::{DevInbox, Texts, TwilioReceipts},
    telemetry::Metrics,
};

pub use page::Page;
pub use problem::ApiError;
pub use server::{Listening, serve_api, serve_ops};

/// What handlers call; one for the whole service.
pub struct Api {
    pub accounts: Accounts,
    pub otp: Arc<Otp>,
    pub readiness: Readiness,
    /// Present where Twilio is asked for receipts.
    pub receipts: Option<TwilioReceipts>,
    /// Present in development without a provider.
    pub inbox: Option<DevInbox>,
    pub metrics: Metrics,
    /// What SMS say, for the language that suits a client best.
    pub texts: Arc<Texts>,
    pub phone_check: PhoneCheck,
    /// Peers whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The length of the IPv6 network that one client is.
    pub ipv6_prefix: u8,
    /// Origins whose pages may read answers, or `*` alone.
    pub cors_origins: Vec<String>,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
}

/// The public routes.
fn routes(config: &mut web::ServiceConfig) {
    post(config, "/api/users/register", users::register);
    post(config, "/api/users/login", sessions::login);
    post(config, "/api/users/send-phone-otp", otp::send);
    post(config, "/api/users/verify-phone-otp", otp::verify);
    get(config, "/api/users/otp-status/{challenge_id}", otp_status::status);
    post(
        config,
        "/api/sms/receipts/twilio/{challenge_id}",
        receipts::twilio,
    );
    get(config, "/api/users/me", users::me);
    post(config, "/api/users/token/refresh", sessions::refresh);
    post(config, "/api/users/logout", sessions::logout);
    get(config, "/.well-known/jwks.json", sessions::jwks);
    get(config, "/healthz", health::healthz);
    get(config, "/readyz", health::readyz);
    get(config, "/openapi.json", openapi::document);
    get(config, "/docs", docs::page);
    get(config, "/docs/{file}", docs::asset);
    get(config, "/dev/inbox", inbox::page);
    get(config, "/dev/inbox.json", inbox::json);
}

/// The operators' routes.
fn ops_routes(config: &mut web::ServiceConfig) {
    get(config, "/metrics", health::metrics);
    get(config, "/limits", limits::rules);
    post(config, "/limits/explain", limits::explain);
    post(config, "/limits/reset", limits::reset);
}

/// The pattern of the route that a request took: what stands in logs and metrics, in place of the path, which may hold
/// anything.
#[derive(Clone, Copy)]
struct Route(&'static str);

impl Route {
    fn of(request: &HttpRequest) -> Option<&'static str> {
        request.app_data::<Self>().map(|route| route.0)
    }
}

/// Answers every path that has no route.
async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound)
}

/// Adds what is read at `path`, with and without a slash behind it.
fn get<F, Args>(config: &mut web::ServiceConfig, path: &'static str, handler: F)
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
fn post<F, Args>(config: &mut web::ServiceConfig, path: &'static str, handler: F)
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
    Err(ApiError::MethodNotAllowed { allow })
}
