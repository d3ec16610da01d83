//! Where the service listens, and what it takes from clients.

use std::{net::SocketAddr, time::Duration};

use chrono::TimeDelta;
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

/// The section `server` of the configuration.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where the API listens.
    pub bind: SocketAddr,
    /// Where `/metrics` listens.
    pub ops_bind: SocketAddr,
    /// What has to be shown to the operators' port for all that changes or explains something.
    pub ops_token: Option<SecretString>,
    /// Where the world reaches the service: scheme, host and port alone, so that its path is `/`.
    pub public_url: Option<Url>,
    /// Threads that serve HTTP, at least 1.
    pub workers: usize,
    /// Proxies whose word on the client's address is taken; a plain address is a network of one.
    pub trusted_proxies: Vec<IpNet>,
    /// The length of the IPv6 network that counts as one client.
    pub ipv6_prefix: u8,
    /// How long `/readyz` says that the end has come before no more connections are taken.
    pub drain_delay: Duration,
    /// How long what is in flight may take at a shutdown.
    pub shutdown_timeout: Duration,
    /// How long a client may take to send a head or a body.
    pub request_timeout: Duration,
    /// How long a connection may idle between two requests.
    pub keep_alive: Duration,
    /// How long a client may take to read what waits for it.
    pub write_timeout: Duration,
    /// Whether the reference page is served.
    pub docs: bool,
    /// Whether the start page is served.
    pub start_page: bool,
    /// Origins whose pages may call the API from a browser, or `*` alone.
    pub cors_origins: Vec<String>,
    /// Whether pages of this machine, on whatever port, may do so as well: a frontend in development has a port of its own.
    pub cors_localhost: bool,
    /// Connections open at a time, for each worker.
    pub max_connections: usize,
}

/// The section `admin` of the configuration.
#[derive(Debug, Clone)]
pub struct AdminOptions {
    /// Where administrators come in.
    pub bind: SocketAddr,
    /// Where they reach it, if that is not `bind`: scheme, host and port alone.
    pub public_url: Option<Url>,
    /// How long a session with a second proof lives.
    pub session_ttl: TimeDelta,
}

impl ServerOptions {
    /// Where the world reaches the service, without a slash at the end.
    pub fn origin(&self) -> Option<String> {
        let url = self.public_url.as_ref()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    }
}
