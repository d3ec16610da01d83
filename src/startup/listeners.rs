//! The ports, bound before anything else: who can't have them needn't connect to anything.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use tokio::net::TcpSocket;

use super::error::StartError;
use crate::settings::{Environment, Settings};

/// Connections that may wait to be accepted; the system may allow less (`net.core.somaxconn`). The standard library's 128
/// are full when 500 clients come at one moment, and who finds no room tries again after a second.
const BACKLOG: u32 = 4096;

pub(super) struct Listeners {
    pub(super) api: TcpListener,
    /// None where its port was taken, in development.
    pub(super) ops: Option<TcpListener>,
    /// Likewise.
    pub(super) admin: Option<TcpListener>,
}

impl Listeners {
    pub(super) fn bind(settings: &Settings) -> Result<Self, StartError> {
        let api = listen("server.bind", settings.server.bind)?;
        let beside = |key, address, without: &str| match listen(key, address) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) if settings.env == Environment::Development => {
                tracing::warn!(%error, "no {without}: another instance may have the port");
                Ok(None)
            }
            Err(error) => Err(error),
        };
        Ok(Self {
            api,
            ops: beside("server.ops_bind", settings.server.ops_bind, "metrics")?,
            admin: beside("admin.bind", settings.admin.bind, "administration")?,
        })
    }
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listening = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?; // as the standard library does
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listening().map_err(|source: io::Error| StartError::Bind { key, address, source })
}
