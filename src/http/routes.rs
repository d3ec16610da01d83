//! Every route.

use actix_web::web;

use crate::http::{
    account::{self, me},
    kit::routes::{get, post},
    openapi,
    ops::{limits, metrics},
    public::{challenge_status, docs, health, inbox, receipts, register, sessions, verify_phone},
};

/// The public routes.
pub fn routes(config: &mut web::ServiceConfig) {
    post(config, "/api/users/register", register::register);
    post(config, "/api/users/login", sessions::login);
    post(config, "/api/users/send-phone-otp", verify_phone::send);
    post(config, "/api/users/verify-phone-otp", verify_phone::verify);
    get(
        config,
        "/api/users/otp-status/{challenge_id}",
        challenge_status::status,
    );
    post(
        config,
        "/api/sms/receipts/twilio/{challenge_id}",
        receipts::twilio,
    );
    get(config, "/api/users/me", me::me);
    post(config, "/api/users/token/refresh", sessions::refresh);
    post(config, "/api/users/logout", account::sessions::logout);
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
pub fn ops_routes(config: &mut web::ServiceConfig) {
    get(config, "/metrics", metrics::metrics);
    get(config, "/limits", limits::rules);
    post(config, "/limits/explain", limits::explain);
    post(config, "/limits/reset", limits::reset);
}
