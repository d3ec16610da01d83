//! By which names the administrators' port is asked: a page of another site that a browser shows may lead here under its own
//! name (DNS rebinding), and is told by it.

use std::net::IpAddr;

use actix_web::{
    Error, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};

use crate::http::{
    AdminOptions,
    api::Api,
    kit::{
        peer::{host, is_asked_as_this_machine},
        problem::ApiError,
        rejection::Rejection,
    },
};

/// The middleware.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let api = request.app_data::<web::Data<Api>>().cloned();
    let is_known = api.is_some_and(|api| is_asked_by_its_name(&api.admin_options, request.request()));
    match is_known {
        true => next.call(request).await,
        false => Err(ApiError::from(Rejection::StrangeHost).into()),
    }
}

fn is_asked_by_its_name(options: &AdminOptions, request: &HttpRequest) -> bool {
    let Some(host) = host(request) else {
        return false;
    };
    let public = options.public_url.as_ref().and_then(|url| url.host_str());
    // No site can have an address as its name.
    let is_address = || {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        !options.bind.ip().is_loopback() && host.parse::<IpAddr>().is_ok()
    };
    is_asked_as_this_machine(request)
        || public.is_some_and(|name| name.eq_ignore_ascii_case(&host))
        || is_address()
}
