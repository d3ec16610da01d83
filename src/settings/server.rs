//! The sections about the process and its edges: `server`, `limits`, `inbox`, `telemetry`.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    environment::Environment,
    fault::Source,
    plaintext::{Plaintext, plain_host},
    provider_section::secret,
    reader::{Reader, Refused},
    urls::is_http,
    value::{MINUTE, SECOND},
};
use crate::{
    http::ServerOptions,
    limits::LimiterOptions,
    telemetry::{LogFormat, TelemetryOptions},
};

/// Where the service listens, and what it takes from clients.
pub(super) fn read(reader: &mut Reader, env: Environment) -> ServerOptions {
    let address = "an address and a port such as \"127.0.0.1:8000\" or \"[::]:8000\"";
    let socket = |text: &str| text.parse::<SocketAddr>().map_err(|_| Refused::default());
    let options = ServerOptions {
        bind: reader.text("server.bind", address, socket),
        ops_bind: reader.text("server.ops_bind", address, socket),
        ops_token: reader.optional(
            "server.ops_token",
            "16 to 256 characters without spaces, such as `openssl rand -base64 32` makes them",
            |text| match text.len() {
                16.. => secret(text),
                _ => Err(Refused::default()),
            },
        ),
        public_url: reader.optional(
            "server.public_url",
            "http:// or https:// with a host, a port if need be, and nothing behind it",
            public_url,
        ),
        workers: reader.cores("server.workers", 1024),
        trusted_proxies: reader.list(
            "server.trusted_proxies",
            "networks such as \"10.0.0.0/8\", or addresses such as \"192.0.2.1\"",
            |text| {
                let address = || text.parse::<IpAddr>().map(IpNet::from).ok();
                let network = text.parse::<IpNet>().ok();
                network.or_else(address).ok_or_else(Refused::default)
            },
        ),
        ipv6_prefix: reader.integer("server.ipv6_prefix", 32..=128),
        drain_delay: reader.duration("server.drain_delay", Duration::ZERO..=5 * MINUTE),
        shutdown_timeout: reader.duration("server.shutdown_timeout", SECOND..=5 * MINUTE),
        request_timeout: reader.duration("server.request_timeout", SECOND / 10..=5 * MINUTE),
        keep_alive: reader.duration("server.keep_alive", SECOND..=60 * MINUTE),
        write_timeout: reader.duration("server.write_timeout", SECOND..=10 * MINUTE),
        docs: reader.flag("server.docs"),
        start_page: reader.flag("server.start_page"),
        cors_origins: reader.list(
            "server.cors_origins",
            "origins as browsers send them, such as \"https://app.example.com\" or \"capacitor://localhost\" (no \
             path, no /, no default port), or \"*\" alone",
            origin,
        ),
        cors_localhost: env == Environment::Development,
        max_connections: reader.integer("server.max_connections", 1..=1_000_000),
    };
    if options.cors_origins.len() > 1 && options.cors_origins.iter().any(|origin| origin == "*") {
        reader.refuse(
            "server.cors_origins",
            "must be \"*\" alone, or origins without it",
        );
    }
    if clash(options.bind, options.ops_bind) {
        reader.refuse("server.ops_bind", "must be another address than server.bind");
    }
    let rule = Plaintext {
        key: "server.public_url",
        switch: "server.allow_plaintext",
        tls: "https://",
    };
    rule.refuse(reader, env, options.public_url.as_ref().and_then(plain_host));
    options
}

/// Whether two can't be listened on at once: one port of one address, or of an address and of all of its kind.
pub(super) fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let are_all = one.ip().is_unspecified() || other.ip().is_unspecified();
    let meet = one.ip() == other.ip() || are_all && one.is_ipv4() == other.is_ipv4();
    meet && one.port() == other.port() && one.port() != 0
}

pub(super) fn public_url(text: &str) -> Result<Url, Refused> {
    let url = Url::parse(text).map_err(Refused::because)?;
    // What a path or a query would mean for links and for the tokens' issuer is nobody's guess.
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if bare && is_http(&url) {
        Ok(url)
    } else {
        Err(Refused::default())
    }
}

/// An origin counts if it equals what browsers send to the letter (RFC 6454, section 6.2): they are compared as text, and
/// no character in one stands for others.
fn origin(text: &str) -> Result<String, Refused> {
    let Ok(url) = Url::parse(text) else {
        return if text == "*" {
            Ok(text.to_owned())
        } else {
            Err(Refused::default())
        };
    };
    if text.contains('*') {
        return Err(Refused::because(
            "each subdomain by itself: * stands for no part of an origin",
        ));
    }
    let spelled = match url.scheme() {
        "http" | "https" if is_http(&url) => url.origin().ascii_serialization(),
        "http" | "https" | "ftp" | "ws" | "wss" | "file" => return Err(Refused::default()),
        // What shells of mobile and desktop apps send: capacitor://localhost, tauri://localhost.
        scheme => {
            let host = url
                .host_str()
                .filter(|host| !host.is_empty())
                .ok_or_else(Refused::default)?;
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{}{port}", host.to_ascii_lowercase())
        }
    };
    if spelled == text {
        Ok(spelled)
    } else {
        Err(Refused::default())
    }
}

/// Where the rules of rate limits stand, and the bounds of those who count.
#[derive(Debug, Clone)]
pub struct LimitsSettings {
    /// The file with the rules, which exists; none means the rules that the program carries.
    pub file: Option<PathBuf>,
    /// Where the file is looked for, if it may come later: nothing but the default names it, and it isn't there.
    pub awaited: Vec<PathBuf>,
    /// The file with the prices; none means those that the program carries.
    pub prices: Option<PathBuf>,
    /// The file with the lists of networks, which exists; none means that there are none.
    pub networks: Option<PathBuf>,
    /// The bounds of whoever counts.
    pub limiter: LimiterOptions,
}

impl LimitsSettings {
    /// `workers` are the threads that serve requests.
    pub(super) fn read(reader: &mut Reader, config_dir: &Path, workers: usize) -> Self {
        let (file, awaited) = named_file(reader, "limits.file", "rules", config_dir);
        let (prices, _) = named_file(reader, "limits.prices", "prices", config_dir);
        Self {
            file,
            awaited,
            prices,
            networks: networks_file(reader, config_dir),
            limiter: LimiterOptions {
                max_keys: reader.integer("limits.max_keys", 1..=100_000_000),
                shards: workers,
                instances: reader.integer("limits.instances", 1..=10_000),
            },
        }
    }
}

/// A relative path is looked for beside the other files first, then from where the service was started.
fn named_file(
    reader: &mut Reader,
    key: &'static str,
    what: &str,
    config_dir: &Path,
) -> (Option<PathBuf>, Vec<PathBuf>) {
    let named = reader.text(key, "the path of a TOML file", |text| match text {
        "" => Err(Refused::default()),
        path => Ok(PathBuf::from(path)),
    });
    // Joining an absolute path gives that path itself.
    let mut awaited = vec![config_dir.join(&named), named];
    let found = awaited.iter().find(|path| path.is_file()).cloned();
    match &found {
        Some(path) => reader.note(key, format!("in force: {}", path.display())),
        None if reader.source(key) == Source::BuiltIn => {
            reader.note(key, format!("in force: the built-in {what}, there is no such file"));
        }
        None => reader.refuse(
            key,
            "no such file: must be a path from the config folder, from the working directory, or an absolute one",
        ),
    }
    if found.is_some() {
        awaited.clear();
    }
    (found, awaited)
}

/// The same for the lists of networks, which there need not be.
fn networks_file(reader: &mut Reader, config_dir: &Path) -> Option<PathBuf> {
    const KEY: &str = "limits.networks";
    let named = reader.text(KEY, "the path of a TOML file, or empty", |text| {
        Ok::<_, Refused>(PathBuf::from(text))
    });
    if named.as_os_str().is_empty() {
        return None;
    }
    let places = [config_dir.join(&named), named];
    let found = places.into_iter().find(|path| path.is_file());
    if found.is_none() {
        reader.refuse(
            KEY,
            "no such file: must be a path from the config folder, from the working directory, or an absolute one",
        );
    }
    found
}

/// The development inbox.
#[derive(Debug, Clone)]
pub struct InboxSettings {
    /// How many messages it keeps, the newest.
    pub size: usize,
    /// Whether others than this machine see it.
    pub allow_remote: bool,
}

impl InboxSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            size: reader.integer("inbox.size", 1..=10_000),
            allow_remote: reader.flag("inbox.allow_remote"),
        }
    }
}

/// What is logged, and how. `auto` is decided here: JSON in production.
pub(super) fn read_telemetry(reader: &mut Reader, environment: Environment) -> TelemetryOptions {
    let auto = match environment {
        Environment::Development => LogFormat::Pretty,
        Environment::Production => LogFormat::Json,
    };
    TelemetryOptions {
        log: reader.text(
            "telemetry.log",
            "a level (off, error, warn, info, debug, trace), or directives such as \"info,ringback::sms=debug\"",
            directives,
        ),
        format: reader.choice(
            "telemetry.format",
            &[("auto", auto), ("json", LogFormat::Json), ("pretty", LogFormat::Pretty)],
        ),
    }
}

fn directives(text: &str) -> Result<String, Refused> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A lone word that is no level would be taken for a module, and its typing error would silence the log.
    let sound = text.split(',').map(str::trim).all(|directive| {
        LEVELS.contains(&directive.to_ascii_lowercase().as_str()) || directive.contains(['=', '['])
    });
    match EnvFilter::try_new(text) {
        Ok(_) if sound => Ok(text.to_owned()),
        _ => Err(Refused::default()),
    }
}
