//! The way to Redis: one server, a Cluster, or a master that Sentinels watch, with the same scripts and keys.
//!
//! Each thread that asks has a *lane*, a multiplexed connection of its own whose driver runs on that thread; requests
//! that arrive together share a write and a read. deadpool-redis makes the connections, bounds and replaces them; it
//! is not asked for one at each request (`docs/performance.md` has what that costs).

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisFuture, Script,
    ScriptInvocation, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster_async::ClusterConnection,
};
use deadpool_redis::{PoolConfig, PoolError, Runtime, Timeouts, cluster, sentinel};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::unavailable::{Part, Unavailable};

/// How many hash tags keys are spread over: the unit by which a Redis Cluster shares the load. A constant, since every
/// instance must agree on it.
pub const PARTITIONS: u8 = 64;

/// Why a `REDIS_URL` is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RedisUrlError(String);

/// Which servers a URL means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Topology {
    Single(String),
    Cluster(Vec<String>),
    Sentinel { sentinels: Vec<String>, master: String },
}

impl Topology {
    fn parse(url: &str) -> Result<Self, RedisUrlError> {
        let refuse = |why: &str| Err(RedisUrlError(why.to_owned()));
        if let Some(rest) = url.strip_prefix("redis+sentinel://") {
            let Some((hosts, master)) = rest.split_once('/') else {
                return refuse("a Sentinel URL ends in /master-name");
            };
            let (login, hosts) = hosts
                .rsplit_once('@')
                .map_or(("", hosts), |(login, hosts)| (login, hosts));
            if master.is_empty() || master.contains('/') {
                return refuse("a Sentinel URL ends in /master-name");
            }
            let login = if login.is_empty() {
                String::new()
            } else {
                format!("{login}@")
            };
            let sentinels = hosts
                .split(',')
                .map(|host| checked(&format!("redis://{login}{}", host.trim())));
            return Ok(Self::Sentinel {
                sentinels: sentinels.collect::<Result<_, _>>()?,
                master: master.to_owned(),
            });
        }
        match url
            .split(',')
            .map(|part| checked(part.trim()))
            .collect::<Result<Vec<_>, _>>()?
        {
            nodes if nodes.len() > 1 => Ok(Self::Cluster(nodes)),
            mut one => Ok(Self::Single(one.remove(0))),
        }
    }
}

fn checked(url: &str) -> Result<String, RedisUrlError> {
    if !["redis://", "rediss://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(RedisUrlError(
            "a Redis URL begins with redis://, rediss:// or redis+sentinel://".to_owned(),
        ));
    }
    // The error of the crate is not repeated: it may show the password.
    ::redis::Client::open(url).map_err(|_| RedisUrlError("not a Redis URL".to_owned()))?;
    Ok(url.to_owned())
}

/// How to reach Redis, and for how long to wait for it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://…`, `rediss://…`, a comma-separated list for a Cluster, or `redis+sentinel://…/master-name`.
    pub url: String,
    /// Begins every key.
    pub prefix: String,
    /// Connections at most; threads beyond that share one.
    pub lanes: usize,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
}

enum Pool {
    Single(deadpool_redis::Pool),
    Cluster(cluster::Pool),
    Sentinel(sentinel::Pool),
}

/// A connection that the pool made and a lane keeps.
enum Held {
    Single(deadpool_redis::Connection),
    Cluster(cluster::Connection),
    Sentinel(sentinel::Connection),
}

/// One lane: a held connection, replaced when it breaks. `epoch` tells a broken one from its successor.
#[derive(Default)]
struct Lane {
    held: Option<Held>,
    epoch: u64,
}

/// The shared way to Redis.
pub struct RedisLink {
    pool: Pool,
    lanes: Vec<Mutex<Lane>>,
    prefix: String,
    timeout: Duration,
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisLink({} lanes)", self.lanes.len())
    }
}

impl RedisLink {
    /// Prepares the way; connects at the first request.
    ///
    /// # Errors
    /// When the URL is none, in words that don't repeat its password.
    pub fn open(options: &RedisOptions) -> Result<Self, RedisUrlError> {
        let lanes = options.lanes.max(1);
        let pool = Pool::open(&Topology::parse(&options.url)?, lanes, options.timeout)
            .map_err(|_| RedisUrlError("not a Redis URL".to_owned()))?;
        Ok(Self {
            pool,
            lanes: (0..lanes).map(|_| Mutex::default()).collect(),
            prefix: options.prefix.clone(),
            timeout: options.timeout,
        })
    }

    /// A key whose slot is `partition`'s: `prefix:{17}:rest`. Keys of one partition can meet in one script.
    pub fn key(&self, partition: u8, rest: &str) -> String {
        format!("{}:{{{partition}}}:{rest}", self.prefix)
    }

    /// Runs a script by its digest, loading it where the server doesn't know it yet.
    ///
    /// # Errors
    /// [`Unavailable`] when Redis is away, refuses, or takes longer than the time-out; whether the script ran is
    /// unknown then.
    pub async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        fill: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<T, Unavailable> {
        let mut invocation = script.prepare_invoke();
        fill(&mut invocation);
        self.request(Request::Script(&invocation)).await
    }

    /// Sends several commands in one write; on a Cluster their keys must share a partition.
    ///
    /// # Errors
    /// As for [`RedisLink::eval`].
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Unavailable> {
        self.request(Request::Pipeline(pipeline)).await
    }

    /// Runs a script once for each key with its arguments, all in one round trip; on a Cluster each goes where its
    /// key lives. Answers come in the order of the calls.
    ///
    /// # Errors
    /// As for [`RedisLink::eval`], for all calls together: some may have run.
    pub async fn eval_each<T: FromRedisValue, const N: usize>(
        &self,
        script: &Script,
        calls: &[(String, [i64; N])],
    ) -> Result<Vec<T>, Unavailable> {
        let commands: Vec<Cmd> = calls
            .iter()
            .map(|(key, arguments)| {
                let mut command = ::redis::cmd("EVALSHA");
                command.arg(script.get_hash()).arg(1).arg(key).arg(arguments);
                command
            })
            .collect();
        self.request(Request::Each(script, &commands)).await
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// [`Unavailable`] when it doesn't.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.request(Request::Command(&::redis::cmd("PING"))).await
    }

    async fn request<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, Unavailable> {
        let lane = &self.lanes[lane_of_this_thread() % self.lanes.len()];
        let mut epoch = None;
        let attempt = async {
            let (mut connection, of_epoch) = self.connect(lane).await?;
            epoch = Some(of_epoch);
            match request {
                Request::Script(script) => script.invoke_async(&mut connection).await.map_err(Failure::Redis),
                Request::Pipeline(commands) => commands
                    .query_async(&mut connection)
                    .await
                    .map_err(Failure::Redis),
                Request::Each(script, commands) => connection
                    .each(script, commands)
                    .await
                    .and_then(|answers| Ok(::redis::from_redis_value(Value::Array(answers))?))
                    .map_err(Failure::Redis),
                Request::Command(command) => {
                    command.query_async(&mut connection).await.map_err(Failure::Redis)
                }
            }
        };
        let failure = match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Late,
        };
        if let (Some(epoch), true) = (epoch, failure.doubts_the_connection()) {
            let mut lane = lane.lock().await;
            if lane.epoch == epoch
                && let Some(held) = lane.held.take()
            {
                held.discard();
            }
        }
        Err(Unavailable::new(Part::Redis, failure))
    }

    /// The lane's connection, made now if there is none.
    async fn connect(&self, lane: &Mutex<Lane>) -> Result<(Connection, u64), Failure> {
        let mut lane = lane.lock().await;
        if let Some(held) = &lane.held {
            return Ok((held.connection(), lane.epoch));
        }
        let held = self.pool.get().await?;
        let connection = held.connection();
        lane.held = Some(held);
        lane.epoch += 1;
        Ok((connection, lane.epoch))
    }
}

enum Request<'a> {
    Script(&'a ScriptInvocation<'a>),
    Pipeline(&'a Pipeline),
    /// The script is loaded where a server doesn't know it.
    Each(&'a Script, &'a [Cmd]),
    Command(&'a Cmd),
}

#[derive(Debug, Error)]
enum Failure {
    #[error("no answer in time")]
    Late,
    #[error("no connection: {0}")]
    Pool(String),
    /// The kind and code alone: the detail may quote a key or an argument.
    #[error("{kind:?}{code}", kind = .0.kind(), code = .0.code().map(|code| format!(" {code}")).unwrap_or_default())]
    Redis(RedisError),
}

impl Failure {
    /// Whether the next request had better have another connection: after a time-out too, since a peer that
    /// vanished without a word is not noticed for minutes otherwise.
    fn doubts_the_connection(&self) -> bool {
        match self {
            Self::Late => true,
            Self::Pool(_) => false,
            Self::Redis(error) => {
                error.is_io_error() || error.is_timeout() || error.is_connection_dropped() || error.is_cluster_error()
                    // A master that became a replica: Sentinel knows the new one.
                    || error.code() == Some("READONLY")
            }
        }
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Redis(error),
            other => Self::Pool(other.to_string()),
        }
    }
}

/// The lane that belongs to the thread that asks.
fn lane_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! { static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed); }
    LANE.with(|lane| *lane)
}

impl Pool {
    fn open(topology: &Topology, lanes: usize, timeout: Duration) -> Result<Self, RedisError> {
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
                    .set_response_timeout(Some(timeout));
                let manager = deadpool_redis::Manager::new_with_config(url.as_str(), config)?;
                Self::Single(build!(deadpool_redis, manager)?)
            }
            Topology::Cluster(nodes) => {
                let nodes = nodes.iter().map(String::as_str).collect();
                Self::Cluster(build!(cluster, cluster::Manager::new(nodes, false)?)?)
            }
            Topology::Sentinel { sentinels, master } => {
                let sentinels = sentinels.iter().map(String::as_str).collect();
                let role = sentinel::SentinelServerType::Master;
                Self::Sentinel(build!(
                    sentinel,
                    sentinel::Manager::new(sentinels, master.clone(), None, role)?
                )?)
            }
        })
    }

    async fn get(&self) -> Result<Held, PoolError> {
        Ok(match self {
            Self::Single(pool) => Held::Single(pool.get().await?),
            Self::Cluster(pool) => Held::Cluster(pool.get().await?),
            Self::Sentinel(pool) => Held::Sentinel(pool.get().await?),
        })
    }
}

impl Held {
    /// A handle to the same connection: requests of several handles travel together.
    fn connection(&self) -> Connection {
        match self {
            Self::Single(held) => Connection::Node(MultiplexedConnection::clone(held)),
            Self::Cluster(held) => Connection::Cluster(ClusterConnection::clone(held)),
            Self::Sentinel(held) => Connection::Node(MultiplexedConnection::clone(held)),
        }
    }

    /// Ends it, so that the pool makes another.
    fn discard(self) {
        match self {
            Self::Single(held) => drop(deadpool_redis::Connection::take(held)),
            Self::Cluster(held) => drop(cluster::Connection::take(held)),
            Self::Sentinel(held) => drop(sentinel::Connection::take(held)),
        }
    }
}

/// One server's connection or a Cluster's.
enum Connection {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Runs calls of one script; those that met a server without it are repeated after it is loaded, and only those.
    async fn each(&mut self, script: &Script, calls: &[Cmd]) -> Result<Vec<Value>, RedisError> {
        let mut answers = self.together(calls.iter()).await?;
        let unknown: Vec<usize> = (0..answers.len())
            .filter(|&at| matches!(&answers[at], Err(error) if error.code() == Some("NOSCRIPT")))
            .collect();
        if !unknown.is_empty() {
            script.load_async(self).await?;
            let again = self.together(unknown.iter().map(|&at| &calls[at])).await?;
            for (at, answer) in unknown.into_iter().zip(again) {
                answers[at] = answer;
            }
        }
        answers.into_iter().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_servers_it_means() {
        let single = Topology::parse("redis://127.0.0.1:6379/2").unwrap();
        assert_eq!(single, Topology::Single("redis://127.0.0.1:6379/2".to_owned()));
        let cluster = Topology::parse("redis://a:1, redis://b:2").unwrap();
        assert_eq!(
            cluster,
            Topology::Cluster(vec!["redis://a:1".to_owned(), "redis://b:2".to_owned()])
        );
        let sentinel = Topology::parse("redis+sentinel://user:pw@a:1,b:2/main").unwrap();
        let sentinels = vec!["redis://user:pw@a:1".to_owned(), "redis://user:pw@b:2".to_owned()];
        assert_eq!(
            sentinel,
            Topology::Sentinel {
                sentinels,
                master: "main".to_owned()
            }
        );
    }

    #[test]
    fn a_faulty_url_is_refused_without_showing_it() {
        for url in [
            "",
            "http://x",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/",
            "redis://",
            "redis://u:hush@:x/",
        ] {
            let error = Topology::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
