//! The connections, alike for one server, a Cluster and Sentinel.

use std::time::Duration;

use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Script, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster_async::ClusterConnection,
};
use deadpool_redis::{PoolConfig, PoolError, RedisConnectionInfo, Runtime, Timeouts, cluster, sentinel};

use super::topology::{Login, Topology};

/// What makes connections.
pub(super) enum Pool {
    Single(deadpool_redis::Pool),
    Cluster(cluster::Pool),
    Sentinel(sentinel::Pool),
}

/// A connection that the pool made and a lane keeps.
pub(super) enum Held {
    Single(deadpool_redis::Connection),
    Cluster(cluster::Connection),
    Sentinel(sentinel::Connection),
}

impl Pool {
    pub(super) fn open(topology: &Topology, lanes: usize, timeout: Duration) -> Result<Self, RedisError> {
        let bounds = || PoolConfig {
            max_size: lanes,
            timeouts: Timeouts {
                wait: Some(timeout),
                create: Some(timeout),
                recycle: Some(timeout),
            },
            ..PoolConfig::default()
        };
        macro_rules! build {
            ($room:ident, $manager:expr) => {
                $room::Pool::builder($manager)
                    .config(bounds())
                    .runtime(Runtime::Tokio1)
                    .build()
                    .map_err(|_| RedisError::from((ErrorKind::InvalidClientConfig, "pool")))
            };
        }
        Ok(match topology {
            Topology::Single(url) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(timeout))
                    .set_response_timeout(None); // the link bounds requests, by what it hears of others
                let manager = deadpool_redis::Manager::new_with_config(url.as_str(), config)?;
                Self::Single(build!(deadpool_redis, manager)?)
            }
            Topology::Cluster(nodes) => {
                let nodes = nodes.iter().map(String::as_str).collect();
                Self::Cluster(build!(cluster, cluster::Manager::new(nodes, false)?)?)
            }
            Topology::Sentinel {
                sentinels,
                master,
                tls,
                login,
            } => {
                let sentinels = sentinels.iter().map(String::as_str).collect();
                let role = sentinel::SentinelServerType::Master;
                let login = login.clone().map(|Login { user, password }| RedisConnectionInfo {
                    username: user,
                    password,
                    ..RedisConnectionInfo::default()
                });
                let node = sentinel::SentinelNodeConnectionInfo {
                    tls_mode: tls.then_some(sentinel::TlsMode::Secure),
                    redis_connection_info: login,
                };
                let manager = sentinel::Manager::new(sentinels, master.clone(), Some(node), role)?;
                Self::Sentinel(build!(sentinel, manager)?)
            }
        })
    }

    pub(super) async fn get(&self) -> Result<Held, PoolError> {
        Ok(match self {
            Self::Single(pool) => Held::Single(pool.get().await?),
            Self::Cluster(pool) => Held::Cluster(pool.get().await?),
            Self::Sentinel(pool) => Held::Sentinel(pool.get().await?),
        })
    }
}

impl Held {
    /// A handle to the same connection: requests of several handles travel together.
    pub(super) fn connection(&self) -> Connection {
        match self {
            Self::Single(held) => Connection::Node(MultiplexedConnection::clone(held)),
            Self::Cluster(held) => Connection::Cluster(ClusterConnection::clone(held)),
            Self::Sentinel(held) => Connection::Node(MultiplexedConnection::clone(held)),
        }
    }

    /// Ends it, so that the pool makes another.
    pub(super) fn discard(self) {
        match self {
            Self::Single(held) => drop(deadpool_redis::Connection::take(held)),
            Self::Cluster(held) => drop(cluster::Connection::take(held)),
            Self::Sentinel(held) => drop(sentinel::Connection::take(held)),
        }
    }
}

/// One server's connection or a Cluster's.
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
