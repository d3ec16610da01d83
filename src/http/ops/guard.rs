//! Who may ask the operators' port for what.
//!
//! Browsers on the machines that reach it must not be led there by other sites: where the port is this machine's alone, it
//! answers to this machine's names; elsewhere what explains or changes something answers to addresses, which no site can
//! have as its name. With a token (`server.ops_token`), all that wants it.

use std::net::IpAddr;

use actix_web::{
    Error, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::http::{
    ServerOptions,
    api::Api,
    kit::{
        peer::{host, is_asked_as_this_machine},
        problem::ApiError,
        rejection::Rejection,
    },
};

/// What explains or changes something begins so.
const GUARDED: &str = "/limits";

/// The middleware.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<web::Data<Api>>().cloned();
    let refusal = api.and_then(|api| refuse(&api.server, request.request()));
    match refusal {
        Some(rejection) => Err(ApiError::from(rejection).into()),
        None => next.call(request).await,
    }
}

fn refuse(options: &ServerOptions, request: &HttpRequest) -> Option<Rejection> {
    let is_guarded = request.path().starts_with(GUARDED);
    if let Some(token) = options.ops_token.as_ref().filter(|_| is_guarded) {
        let shown = bearer(request);
        let is_right = shown.is_some_and(|shown| shown.ct_eq(token.expose_secret().as_bytes()).into());
        return (!is_right).then_some(Rejection::OpsToken);
    }
    let is_named_right = match options.ops_bind.ip().is_loopback() {
        true => is_asked_as_this_machine(request),
        false => {
            let is_address = host(request).is_some_and(|host| {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host.parse::<IpAddr>().is_ok()
            });
            !is_guarded || is_address || is_asked_as_this_machine(request)
        }
    };
    (!is_named_right).then_some(Rejection::StrangeHost)
}

fn bearer(request: &HttpRequest) -> Option<&[u8]> {
    let value = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}
