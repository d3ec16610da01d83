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

use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};
use ipnet::IpNet;

use crate::{
    accounts::Accounts,
    otp::Otp,
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
    pub otp: Otp,
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

/// The public routes. Paths stand without their trailing slash: `NormalizePath` lets both in.
fn routes(config: &mut web::ServiceConfig) {
    config
        .service(post("/api/users/register", users::register))
        .service(post("/api/users/login", sessions::login))
        .service(post("/api/users/send-phone-otp", otp::send))
        .service(post("/api/users/verify-phone-otp", otp::verify))
        .service(get("/api/users/otp-status/{challenge_id}", otp_status::status))
        .service(post("/api/sms/receipts/twilio/{challenge_id}", receipts::twilio))
        .service(get("/api/users/me", users::me))
        .service(post("/api/users/token/refresh", sessions::refresh))
        .service(post("/api/users/logout", sessions::logout))
        .service(get("/.well-known/jwks.json", sessions::jwks))
        .service(get("/healthz", health::healthz))
        .service(get("/readyz", health::readyz))
        .service(get("/openapi.json", openapi::document))
        .service(get("/docs", docs::page))
        .service(get("/docs/{file}", docs::asset))
        .service(get("/dev/inbox", inbox::page))
        .service(get("/dev/inbox.json", inbox::json));
}

/// The operators' routes.
fn ops_routes(config: &mut web::ServiceConfig) {
    config
        .service(get("/metrics", health::metrics))
        .service(get("/limits", limits::rules))
        .service(post("/limits/explain", limits::explain))
        .service(post("/limits/reset", limits::reset));
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

fn get<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let read = web::resource(path)
        .app_data(Route(path))
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler));
    read.default_service(web::to(|| refuse_method("GET, HEAD")))
}

fn post<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let write = web::resource(path)
        .app_data(Route(path))
        .route(web::post().to(handler));
    write.default_service(web::to(|| refuse_method("POST")))
}

async fn refuse_method(allow: &'static str) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed { allow })
}
