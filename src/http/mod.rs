//! The outside: every route, one file a resource. Handlers extract, parse, make one call, answer.

mod auth;
mod client;
mod extract;
mod health;
mod inbox;
mod observe;
mod otp;
mod problem;
mod sessions;
mod users;

use std::sync::Arc;

use actix_web::{HttpRequest, Resource, Route, http::Method, web};
use ipnet::IpNet;

use crate::{
    accounts::Accounts,
    otp::Otp,
    phone::PhoneCheck,
    readiness::Readiness,
    sms::DevInbox,
    telemetry::Metrics,
};

pub use observe::observe;
pub use problem::ApiError;

/// What handlers call; one for the whole service.
pub struct Api {
    pub accounts: Accounts,
    pub otp: Otp,
    pub readiness: Readiness,
    /// Present in development without a provider.
    pub inbox: Option<Arc<DevInbox>>,
    pub metrics: Metrics,
    pub phone_check: PhoneCheck,
    /// Peers whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a client may take to send its body.
    pub body_timeout: std::time::Duration,
}

/// The public routes. Paths stand without their trailing slash: `NormalizePath` lets both in.
pub fn routes(config: &mut web::ServiceConfig) {
    let get = |path, handler| resource(path, [(Method::GET, handler)]);
    let post = |path, handler| resource(path, [(Method::POST, handler)]);
    config
        .service(post("/api/users/register", web::post().to(users::register)))
        .service(post("/api/users/login", web::post().to(sessions::login)))
        .service(post("/api/users/send-phone-otp", web::post().to(otp::send)))
        .service(post("/api/users/verify-phone-otp", web::post().to(otp::verify)))
        .service(get("/api/users/me", web::get().to(users::me)))
        .service(post("/api/users/token/refresh", web::post().to(sessions::refresh)))
        .service(post("/api/users/logout", web::post().to(sessions::logout)))
        .service(get("/.well-known/jwks.json", web::get().to(sessions::jwks)))
        .service(get("/healthz", web::get().to(health::healthz)))
        .service(get("/readyz", web::get().to(health::readyz)))
        .service(get("/dev/inbox", web::get().to(inbox::page)))
        .service(get("/dev/inbox.json", web::get().to(inbox::json)));
}
