//! Every route: who may call what. One table gives the services, `Allow`, CORS and the OpenAPI document.

use crate::http::{
    account::{change_email, change_phone, leave, me, password, sessions as own_sessions},
    admin::{
        change as admin_change, console, document as admin_document, events as admin_events,
        limits as admin_limits, session as admin_session, stats as admin_stats, user as admin_user,
        users as admin_users, verifications as admin_verifications,
    },
    kit::routes::{Routes, delete, get, patch, post},
    ops::{limits, metrics, reset},
    public::{
        challenge_status, discovery, docs, health, inbox, openapi, receipts, register, reset_password,
        sessions, sign_in_by_code, start, verify_email, verify_phone,
    },
};

/// What most requests are for.
const FREQUENT: [&str; 4] = [
    "/api/users/me/",
    "/api/users/send-phone-otp/",
    "/api/users/verify-phone-otp/",
    "/api/users/token/refresh/",
];

/// What the world may call. `docs`: the reference page as well; `start_page`: the start page.
pub fn api(docs: bool, start_page: bool) -> Routes {
    let start = start_page.then(|| get("/", start::page).documented(start::page_docs));
    let page = [
        get("/docs/", docs::page).documented(docs::page_docs),
        get("/docs/{file}", docs::asset),
    ];
    let routes = [
        post("/api/users/register/", register::register).documented(register::register_docs),
        post("/api/users/register/code/", register::send).documented(register::send_docs),
        get("/api/users/me/", me::me).documented(me::me_docs),
        patch("/api/users/me/", me::change).documented(me::change_docs),
        delete("/api/users/me/", leave::leave).documented(leave::leave_docs),
        get("/api/users/me/export/", leave::export).documented(leave::export_docs),
        post("/api/users/password/change/", password::change).documented(password::change_docs),
        post("/api/users/phone/change/", change_phone::change).documented(change_phone::change_docs),
        post("/api/users/phone/change/verify/", change_phone::verify).documented(change_phone::verify_docs),
        post("/api/users/email/change/", change_email::change).documented(change_email::change_docs),
        post("/api/users/email/change/verify/", change_email::verify).documented(change_email::verify_docs),
        post("/api/users/send-phone-otp/", verify_phone::send).documented(verify_phone::send_docs),
        post("/api/users/verify-phone-otp/", verify_phone::verify).documented(verify_phone::verify_docs),
        post("/api/users/send-email-otp/", verify_email::send).documented(verify_email::send_docs),
        post("/api/users/verify-email-otp/", verify_email::verify).documented(verify_email::verify_docs),
        get("/api/users/otp-status/{challenge_id}/", challenge_status::status)
            .documented(challenge_status::status_docs),
        post("/api/sms/receipts/{provider}/{challenge_id}/", receipts::receive)
            .documented(receipts::receive_docs),
        post("/api/users/login/", sessions::login).documented(sessions::login_docs),
        post("/api/users/login/code/", sign_in_by_code::send).documented(sign_in_by_code::send_docs),
        post("/api/users/login/code/verify/", sign_in_by_code::verify)
            .documented(sign_in_by_code::verify_docs),
        post("/api/users/password/forgot/", reset_password::forgot).documented(reset_password::forgot_docs),
        post("/api/users/password/reset/", reset_password::reset).documented(reset_password::reset_docs),
        post("/api/users/token/refresh/", sessions::refresh).documented(sessions::refresh_docs),
        get("/api/users/sessions/", own_sessions::list).documented(own_sessions::list_docs),
        delete("/api/users/sessions/", own_sessions::end_others).documented(own_sessions::end_others_docs),
        delete("/api/users/sessions/{id}/", own_sessions::end).documented(own_sessions::end_docs),
        post("/api/users/logout/", own_sessions::logout).documented(own_sessions::logout_docs),
        get("/.well-known/jwks.json", sessions::jwks).documented(sessions::jwks_docs),
        get("/.well-known/openid-configuration", discovery::configuration)
            .documented(discovery::configuration_docs),
        get("/healthz", health::healthz).documented(health::healthz_docs),
        get("/readyz", health::readyz).documented(health::readyz_docs),
        get("/openapi.json", openapi::document).documented(openapi::document_docs),
        get("/dev/inbox/", inbox::page).documented(inbox::page_docs),
        get("/dev/inbox.json", inbox::json).documented(inbox::json_docs),
    ];
    let pages = page.into_iter().filter(|_| docs).chain(start);
    Routes::new(routes.into_iter().chain(pages)).first(&FREQUENT)
}

/// What operators may call, on a listener of their own.
pub fn ops() -> Routes {
    Routes::new([
        get("/metrics", metrics::metrics),
        get("/limits", limits::rules),
        post("/limits/explain", limits::explain),
        post("/limits/reset", reset::reset),
        get("/limits/status", limits::status),
        post("/limits/pause", limits::pause),
        post("/limits/resume", limits::resume),
    ])
}

/// What administrators may call, on a listener of their own.
pub fn admin() -> Routes {
    Routes::new([
        post("/api/admin/session/", admin_session::send).documented(admin_session::send_docs),
        post("/api/admin/session/verify/", admin_session::verify).documented(admin_session::verify_docs),
        get("/api/admin/users/", admin_users::list).documented(admin_users::list_docs),
        get("/api/admin/users/{id}/", admin_user::show).documented(admin_user::show_docs),
        patch("/api/admin/users/{id}/", admin_change::change).documented(admin_change::change_docs),
        delete("/api/admin/users/{id}/", admin_change::delete).documented(admin_change::delete_docs),
        post("/api/admin/users/{id}/lock/", admin_user::lock).documented(admin_user::lock_docs),
        post("/api/admin/users/{id}/unlock/", admin_user::unlock).documented(admin_user::unlock_docs),
        post("/api/admin/users/{id}/confirm-phone/", admin_user::confirm_phone)
            .documented(admin_user::confirm_phone_docs),
        post("/api/admin/users/{id}/confirm-email/", admin_user::confirm_email)
            .documented(admin_user::confirm_email_docs),
        post("/api/admin/users/{id}/end-sessions/", admin_user::end_sessions)
            .documented(admin_user::end_sessions_docs),
        post(
            "/api/admin/users/{id}/release-limits/",
            admin_change::release_limits,
        )
        .documented(admin_change::release_docs),
        get("/api/admin/events/", admin_events::list).documented(admin_events::list_docs),
        get("/api/admin/verifications/", admin_verifications::list)
            .documented(admin_verifications::list_docs),
        get("/api/admin/stats/", admin_stats::show).documented(admin_stats::show_docs),
        get("/api/admin/limits/", admin_limits::show).documented(admin_limits::show_docs),
        post("/api/admin/limits/pause/", admin_limits::pause).documented(admin_limits::pause_docs),
        post("/api/admin/limits/resume/", admin_limits::resume).documented(admin_limits::resume_docs),
        get("/", console::begin),
        get("/admin/", console::overview::show),
        get("/admin/sign-in/", console::sign_in::show),
        post("/admin/sign-in/", console::sign_in::password),
        get("/admin/prove/", console::prove::show),
        post("/admin/prove/", console::prove::prove),
        post("/admin/prove/send/", console::prove::send_again),
        post("/admin/sign-out/", console::sign_in::sign_out),
        get("/admin/users/", console::users::list),
        get("/admin/users/{id}/", console::user::show),
        post("/admin/users/{id}/{action}/", console::user::act),
        get("/admin/events/", console::lists::events),
        get("/admin/events.csv", console::export::csv),
        get("/admin/events.json", console::export::json),
        get("/admin/messages/", console::lists::messages),
        get("/admin/limits/", console::limits::show),
        post("/admin/limits/pause/", console::limits::pause),
        post("/admin/limits/resume/", console::limits::resume),
        get("/admin/style.css", console::style),
        get("/openapi.json", admin_document::document).documented(admin_document::document_docs),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_requests_are_for_is_there() {
        let routes = api(true, true);
        let paths: Vec<_> = routes.documented().map(|(_, path, _)| path).collect();
        assert!(FREQUENT.iter().all(|path| paths.contains(path)));
    }
}
