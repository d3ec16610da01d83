//! Whether a request comes from this machine, and was meant for it.

use actix_web::{HttpRequest, http::header};

use crate::loopback::{is_this_machine, without_port};

/// Whether this machine is asked by one of its own names. A page of another site that a browser on this machine shows may
/// lead here under its own name (DNS rebinding), and is told by it.
pub fn is_asked_as_this_machine(request: &HttpRequest) -> bool {
    host(request).is_some_and(|host| is_this_machine(&host))
}

/// Whether this machine asks itself. What a proxy passes on comes from somewhere else.
pub fn is_this_machine_asking(request: &HttpRequest) -> bool {
    let is_local = request
        .peer_addr()
        .is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let is_passed_on = [header::X_FORWARDED_FOR, header::FORWARDED, header::VIA]
        .iter()
        .any(|name| request.headers().contains_key(name));
    is_local && !is_passed_on && is_asked_as_this_machine(request)
}

/// The host that the client meant, without a port.
pub fn host(request: &HttpRequest) -> Option<String> {
    let named = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(|authority| authority.as_str()))?;
    Some(without_port(host).to_owned())
}
