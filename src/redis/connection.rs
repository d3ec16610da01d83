//! Connections, alike for one server, a Cluster and what Sentinels watch, and the pool that makes and replaces them.

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError,
    RedisFuture, Script, TlsCertificates, TlsMode, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use deadpool::managed::{self, BuildError, Manager, Metrics, RecycleError, RecycleResult};
use deadpool_redis::{PoolConfig, Runtime, Timeouts};
use futures_util::{FutureExt, future::select_ok};
use tokio::sync::Mutex;

use super::{
    RedisOptions,
    topology::{RedisUrlError, Topology},
};

/// Hands out connections, one a lane at most.
pub(super) type Pool = managed::Pool<Connector>;
/// A connection that the pool handed out. Once dropped it is ended, and makes room for another.
pub(super) type Held = managed::Object<Connector>;

/// What makes connections.
pub(super) enum Connector {
    Single(deadpool_redis::Manager),
    Cluster(ClusterClient),
    /// Whoever asks a Sentinel keeps the connection to it. Each has a client of its own, which knows no other: one client of all waits
    /// for the first, however long that is silent.
    Sentinel(Vec<Mutex<SentinelClient>>, AsyncConnectionConfig),
}

/// Prepares the pool; connects nowhere. The files of certificates are read here.
pub(super) fn open(options: &RedisOptions) -> Result<Pool, RedisUrlError> {
    let topology = Topology::parse(&options.url)?;
    let certificates = match options.security.first_key() {
        Some(key) if !topology.plaintext_hosts().is_empty() => {
            let why = "certificates are for a redis.url that begins with rediss:// or rediss+sentinel://";
            return Err(RedisUrlError::of(key, why));
        }
        _ => options.security.certificates()?,
    };
    let connector = Connector::of(topology, certificates, options)
        .map_err(|error| RedisUrlError::new(format!("Redis can't be reached so: {}", error.category())))?;
    let config = PoolConfig {
        max_size: options.lanes.max(1),
        timeouts: Timeouts {
            wait: Some(options.timeout),
            create: Some(options.timeout),
            recycle: Some(options.timeout),
        },
        ..PoolConfig::default()
    };
    Pool::builder(connector)
        .config(config)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error: BuildError| RedisUrlError::new(error.to_string()))
}

impl Manager for Connector {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> Result<Connection, RedisError> {
        Ok(match self {
            Self::Single(manager) => Connection::Node(manager.create().await?),
            Self::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
            Self::Sentinel(clients, config) => {
                // Each is released before the master is connected to: whoever else waits asks meanwhile.
                let asked = clients
                    .iter()
                    .map(|client| async { client.lock().await.async_get_client().await }.boxed());
                let (master, _) = select_ok(asked).await?;
                Connection::Node(
                    master
                        .get_multiplexed_async_connection_with_config(config)
                        .await?,
                )
            }
        })
    }

    /// A lane keeps its connection for as long as it trusts it. So one that comes back is never handed out again.
    async fn recycle(&self, _: &mut Connection, _: &Metrics) -> RecycleResult<RedisError> {
        Err(RecycleError::message("a lane left it"))
    }
}

impl Connector {
    fn of(
        topology: Topology,
        certificates: Option<TlsCertificates>,
        options: &RedisOptions,
    ) -> Result<Self, RedisError> {
        // The link bounds requests, by what it hears of others.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.timeout))
            .set_response_timeout(None);
        Ok(match topology {
            Topology::Single(url) => {
                let client = match certificates {
                    Some(certificates) => Client::build_with_tls(url.as_str(), certificates)?,
                    None => Client::open(url.as_str())?,
                };
                // With the certificates in it.
                let server = client.get_connection_info().clone();
                Self::Single(deadpool_redis::Manager::new_with_config(server, config)?)
            }
            Topology::Cluster(nodes) => {
                // All that are named are waited for, and then all that these name, before the first request: a silent one must leave
                // time for it.
                let mut cluster = ClusterClient::builder(nodes.iter().map(String::as_str))
                    .connection_timeout(options.timeout / 3);
                if let Some(certificates) = certificates {
                    cluster = cluster.certs(certificates);
                }
                Self::Cluster(cluster.build()?)
            }
            Topology::Sentinel {
                sentinels,
                master,
                tls,
                login,
            } => {
                let sentinels = sentinels.iter().map(|url| url.as_str().into_connection_info());
                let sentinels = sentinels.collect::<Result<Vec<_>, _>>()?;
                let client = |sentinel: &ConnectionInfo| {
                    let address = [sentinel.addr().clone()];
                    let mut builder =
                        SentinelClientBuilder::new(address, &*master, SentinelServerType::Master)?;
                    if let Some(user) = login.as_ref().and_then(|login| login.user.as_ref()) {
                        builder = builder.set_client_to_redis_username(user);
                    }
                    if let Some(password) = login.as_ref().and_then(|login| login.password.as_ref()) {
                        builder = builder.set_client_to_redis_password(password);
                    }
                    let own = sentinel.redis_settings();
                    if let Some(user) = own.username() {
                        builder = builder.set_client_to_sentinel_username(user);
                    }
                    if let Some(password) = own.password() {
                        builder = builder.set_client_to_sentinel_password(password);
                    }
                    if tls {
                        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
                        builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
                        if let Some(certificates) = &certificates {
                            builder = builder.set_client_to_redis_certificates(certificates.clone());
                            builder = builder.set_client_to_sentinel_certificates(certificates.clone());
                        }
                    }
                    builder.build().map(Mutex::new)
                };
                Self::Sentinel(
                    sentinels.iter().map(client).collect::<Result<_, RedisError>>()?,
                    config,
                )
            }
        })
    }

    /// Whether keys may lie on several servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

/// One server's connection or a Cluster's. A clone is a handle to the same: requests of several handles travel together.
#[derive(Clone)]
pub(super) enum Connection {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Runs one call of a script, which is loaded if the server doesn't know it.
    pub(super) async fn run(&mut self, script: &Script, call: &Cmd) -> Result<Value, RedisError> {
        match call.query_async(self).await {
            Err(error) if is_unknown(&error) => {
                Box::pin(script.load_async(self)).await?;
                call.query_async(self).await
            }
            answer => answer,
        }
    }

    /// Runs calls of one script; those that met a server without it are repeated after it is loaded, and only those.
    pub(super) async fn each(&mut self, script: &Script, calls: &[Cmd]) -> Result<Vec<Value>, RedisError> {
        self.each_for_itself(script, calls).await?.into_iter().collect()
    }

    /// The same, with an answer or an error for each.
    pub(super) async fn each_for_itself(
        &mut self,
        script: &Script,
        calls: &[Cmd],
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        let mut answers = self.together(calls.iter()).await?;
        let unknown: Vec<usize> = (0..answers.len())
            .filter(|&at| matches!(&answers[at], Err(error) if is_unknown(error)))
            .collect();
        if !unknown.is_empty() {
            script.load_async(self).await?;
            let again = self.together(unknown.iter().map(|&at| &calls[at])).await?;
            for (at, answer) in unknown.into_iter().zip(again) {
                answers[at] = answer;
            }
        }
        Ok(answers)
    }

    /// Sends commands at once. A pipeline to one server is one message to its driver; a Cluster's connection refuses
    /// pipelines over several slots, so there each command goes by itself, beside the others.
    async fn together(
        &self,
        commands: impl Iterator<Item = &Cmd>,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        match self {
            Self::Node(node) => {
                let mut pipeline = Pipeline::new();
                for command in commands {
                    pipeline.add_command(command.clone());
                }
                pipeline.ignore_errors().query_async(&mut node.clone()).await
            }
            Self::Cluster(cluster) => {
                let commands = commands.map(|command| {
                    let mut cluster = cluster.clone();
                    async move { command.query_async(&mut cluster).await }
                });
                Ok(futures_util::future::join_all(commands).await)
            }
        }
    }
}

/// Whether the server didn't know a script.
fn is_unknown(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Node(node) => node.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Node(node) => node.req_packed_commands(commands, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Node(node) => node.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}
