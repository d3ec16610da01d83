//! The section `admin`: where administrators come in, and for how long.

use std::net::SocketAddr;

use chrono::TimeDelta;

use super::{
    plaintext::plain_host,
    reader::{Reader, Refused},
    server::{clash, public_url},
    value::MINUTE,
};
use crate::{
    http::{AdminOptions, ServerOptions},
    loopback::is_this_machine,
};

/// Reads the section.
pub(super) fn read(reader: &mut Reader, server: &ServerOptions) -> AdminOptions {
    let options = AdminOptions {
        bind: reader.text(
            "admin.bind",
            "an address and a port such as \"127.0.0.1:8002\" or \"[::]:8002\"",
            |text| text.parse::<SocketAddr>().map_err(|_| Refused::default()),
        ),
        public_url: reader.optional(
            "admin.public_url",
            "https:// with a host, a port if need be, and nothing behind it",
            public_url,
        ),
        session_ttl: TimeDelta::from_std(reader.duration("admin.session_ttl", MINUTE..=24 * 60 * MINUTE))
            .unwrap_or_default(),
    };
    if clash(options.bind, server.bind) || clash(options.bind, server.ops_bind) {
        reader.refuse(
            "admin.bind",
            "must be another address than server.bind and server.ops_bind",
        );
    }
    let plain = options.public_url.as_ref().and_then(plain_host);
    if plain.is_some_and(|host| !is_this_machine(&host)) {
        reader.refuse(
            "admin.public_url",
            "must be https:// unless it is this machine: passwords and cookies would be readable on the way",
        );
    }
    options
}
