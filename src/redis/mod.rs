//! The way to Redis: one server, a Cluster, or a master that Sentinels watch, with the same scripts and keys.
//!
//! Each thread that asks has a *lane*, a multiplexed connection of its own whose driver runs on that thread; requests
//! that arrive together share a write and a read. A lane keeps its connection until it is doubted (`failure.rs` says by
//! what), and is given another by deadpool's pool then. The pool bounds how many there are and how long one may take to be
//! made; it is not asked at each request (`docs/performance.md` has what that would cost).

mod call;
mod connection;
mod failure;
mod heads;
mod late;
pub mod lua;
mod options;
mod request;
mod security;
mod topology;

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::{FromRedisValue, Pipeline, Script, ToRedisArgs, from_redis_value};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout_at},
};

use connection::{Connection, Held, Pool};
use failure::Failure;
use heads::Heads;
use late::Answer;
use request::{Answered, Request, evalsha};
use topology::Topology;

use crate::{
    lane::lane_of_this_thread,
    outage,
    unavailable::{Part, Unavailable},
};

pub use call::Call;
pub use late::{LateAnswer, Unanswered};
pub use options::RedisOptions;
pub use security::{ClientCertificate, RedisSecurity};
pub use topology::RedisUrlError;

/// One lane.
#[derive(Default)]
struct Lane {
    /// Its connection, and the generation that it belongs to.
    held: Mutex<Option<(Held, u64)>>,
    /// When an answer last came by it, in milliseconds since the link was opened.
    heard: AtomicU64,
}

/// A connection that was heard of so lately is taken to be alive; another is asked first.
const FRESH: Duration = Duration::from_secs(1);
/// How long a late request waits for what has come and was not read yet.
const GRACE: Duration = Duration::from_millis(50);
/// How long the key of a check is kept.
const CHECK_LASTS_MS: u32 = 60_000;
/// How many time-outs a request waits at most while others on its lane are answered.
const PATIENCE: u32 = 4;

/// The shared way to Redis.
pub struct RedisLink {
    pool: Pool,
    lanes: Vec<Lane>,
    /// Connections of an earlier generation are not trusted: what broke one has broken them all, more likely than not.
    generation: AtomicU64,
    opened: Instant,
    heads: Heads,
    timeout: Duration,
    /// The log says once that it drops keys.
    evicts: AtomicBool,
    /// Places of answers that are waited for though they are late.
    late: Arc<Semaphore>,
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
    /// When the URL is none or a file of certificates isn't there, in words that don't repeat a password.
    pub fn open(options: &RedisOptions) -> Result<Self, RedisUrlError> {
        Ok(Self {
            pool: connection::open(options)?,
            lanes: (0..options.lanes.max(1)).map(|_| Lane::default()).collect(),
            generation: AtomicU64::new(0),
            opened: Instant::now(),
            heads: Heads::of(&options.prefix),
            timeout: options.timeout,
            evicts: AtomicBool::new(false),
            late: Arc::new(Semaphore::new(late::MOST)),
        })
    }

    /// The hosts that a URL leads to without TLS.
    ///
    /// # Errors
    /// As for [`RedisLink::open`].
    pub fn plaintext_hosts(url: &str) -> Result<Vec<String>, RedisUrlError> {
        Topology::parse(url).map(|topology| topology.plaintext_hosts())
    }

    /// A key whose slot is `partition`'s: `prefix:{17}:rest`. Keys of one partition can meet in one script.
    pub fn key(&self, partition: u8, rest: &str) -> String {
        [self.heads.of_partition(partition), rest].concat()
    }

    /// Whether keys of different partitions may lie on different servers, where no script can touch them together.
    pub fn is_cluster(&self) -> bool {
        self.pool.manager().is_cluster()
    }

    /// Runs a script by its digest, loading it where the server doesn't know it yet. `fill` adds its keys, of which there are
    /// `keys`, and then its arguments.
    ///
    /// # Errors
    /// [`Unavailable`] when Redis is down, refuses, or takes longer than the time-out; whether the script ran is
    /// unknown then.
    pub async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: usize,
        fill: impl FnOnce(&mut Call<'_>),
    ) -> Result<T, Unavailable> {
        let command = Call::of(&self.heads, script, keys, fill);
        self.request(Request::Script(script, &command)).await
    }

    /// As [`RedisLink::eval`], for what must not stay done without anybody knowing of it.
    ///
    /// # Errors
    /// As there, with the answer that may come later.
    pub async fn eval_or_later<T: FromRedisValue>(
        &self,
        script: impl Deref<Target = Script> + Send + 'static,
        keys: usize,
        fill: impl FnOnce(&mut Call<'_>),
    ) -> Result<T, Unanswered> {
        let command = Call::of(&self.heads, &script, keys, fill);
        let (lane, began) = (self.lane(), Instant::now());
        let connected = timeout_at(began + self.timeout, self.connect(lane)).await;
        let (mut connection, generation) = match connected.unwrap_or(Err(Failure::Late)) {
            Ok(connected) => connected,
            Err(failure) => {
                return self
                    .settle(None, false, Err(failure))
                    .map_err(|why| Unanswered { why, later: None });
            }
        };
        // On the heap, since it may outlive this call.
        let mut answer: Answer =
            Box::pin(async move { connection.run(&script, &command).await.map_err(Failure::Redis) });
        let came = self.in_time(lane, began, answer.as_mut()).await;
        let later = matches!(came, Err(Failure::Late)).then(|| LateAnswer::of(answer, &self.late));
        let is_doubtful = came.as_ref().is_err_and(Failure::doubts_the_connection);
        let came = came.and_then(|value| Ok(from_redis_value(value)?));
        self.settle(Some(generation), is_doubtful, came)
            .map_err(|why| Unanswered {
                why,
                later: later.flatten(),
            })
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
    pub async fn eval_each<T: FromRedisValue, A>(
        &self,
        script: &Script,
        calls: &[(String, A)],
    ) -> Result<Vec<T>, Unavailable>
    where
        for<'a> &'a A: ToRedisArgs,
    {
        let commands = evalsha(script, calls);
        self.request(Request::Each(script, &commands)).await
    }

    /// The same where one server that is down must not hide the others' answers: calls that failed are left out. A call
    /// may have several keys, of one partition.
    ///
    /// # Errors
    /// As for [`RedisLink::eval`], when no server could be asked.
    pub async fn eval_where_possible<T: FromRedisValue, K: ToRedisArgs, A>(
        &self,
        script: &Script,
        calls: &[(K, A)],
    ) -> Result<Vec<T>, Unavailable>
    where
        for<'a> &'a A: ToRedisArgs,
    {
        let commands = evalsha(script, calls);
        self.request(Request::Possible(script, &commands)).await
    }

    /// Whether it takes writes and lets us run all commands that scripts need, which is more than to answer: small keys of its own are
    /// written, by a script as all else. Tells whether the server that was asked says that it drops keys once its memory is full.
    ///
    /// # Errors
    /// [`Unavailable`] when it doesn't.
    pub async fn check(&self) -> Result<bool, Unavailable> {
        static CHECK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("check.lua")));
        let evicts = self
            .eval(&CHECK, 3, |call| {
                for key in ["check", "check:set", "check:hash"] {
                    call.key(0, [key]);
                }
                call.arg(CHECK_LASTS_MS);
            })
            .await?;
        if evicts && !self.evicts.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "Redis drops keys once its memory is full, codes and counters of wrong ones among them: set maxmemory-policy to noeviction"
            );
        }
        Ok(evicts)
    }

    async fn request<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, Unavailable> {
        let lane = self.lane();
        let mut generation = None;
        let attempt = async {
            let (connection, of_generation) = self.connect(lane).await?;
            generation = Some(of_generation);
            request.run(connection).await.map_err(Failure::Redis)
        };
        let answer = self.in_time(lane, Instant::now(), attempt).await;
        let (answer, is_doubtful) = match answer {
            Ok(Answered { value, is_doubtful }) => {
                let answer = from_redis_value(value);
                (answer.map_err(Failure::from), is_doubtful)
            }
            Err(failure) => {
                let is_doubtful = failure.doubts_the_connection();
                (Err(failure), is_doubtful)
            }
        };
        self.settle(generation, is_doubtful, answer)
    }

    fn lane(&self) -> &Lane {
        &self.lanes[lane_of_this_thread() % self.lanes.len()]
    }

    /// Notes what an answer says of Redis, and of the connection of that generation.
    fn settle<T>(
        &self,
        generation: Option<u64>,
        is_doubtful: bool,
        answer: Result<T, Failure>,
    ) -> Result<T, Unavailable> {
        if let (Some(generation), true) = (generation, is_doubtful) {
            // Once for each generation, however many requests it fails.
            let (old, new) = (generation, generation + 1);
            let _ = self
                .generation
                .compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
        }
        if answer.is_ok() {
            outage::answered(Part::Redis);
        }
        answer.map_err(|failure| Unavailable::new(Part::Redis, failure))
    }

    /// Bounds a request: by the time-out, counted from the last answer on its lane. So a request among thousands waits
    /// its turn, and one to a Redis that is down is ended a time-out after the last sign of life.
    async fn in_time<T>(
        &self,
        lane: &Lane,
        began: Instant,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut attempt = std::pin::pin!(attempt);
        let (mut until, last) = (began + self.timeout, began + self.timeout * PATIENCE);
        let mut looked_again = false;
        loop {
            if let Ok(outcome) = timeout_at(until, attempt.as_mut()).await {
                if outcome.is_ok() {
                    self.hear(lane);
                }
                return outcome;
            }
            let heard = Instant::now() - self.silence(lane);
            until = match (heard + self.timeout).min(last) {
                extended if extended > until => extended,
                // The answer may be here and unread: on a busy thread, timers come before whoever reads.
                _ if !looked_again => Instant::now() + GRACE,
                _ => return Err(Failure::Late),
            };
            looked_again = true;
        }
    }

    /// The lane's connection, made now if there is none of this generation. One that was idle may have ended meanwhile:
    /// it is asked, lest the first request be the one to find out.
    async fn connect(&self, lane: &Lane) -> Result<(Connection, u64), Failure> {
        let mut held = lane.held.lock().await;
        let generation = self.generation.load(Ordering::Relaxed);
        if let Some((connection, of_generation)) = held.as_ref()
            && *of_generation == generation
            && (self.silence(lane) < FRESH || Box::pin(self.lives(connection)).await)
        {
            return Ok((Connection::clone(connection), generation));
        }
        // Back to the pool, which makes another. It ends when whoever still waits for it has given up.
        *held = None;
        let fresh = Box::pin(self.pool.get()).await.map_err(Failure::Connect)?;
        self.hear(lane);
        let connection = Connection::clone(&fresh);
        *held = Some((fresh, generation));
        Ok((connection, generation))
    }

    /// Half of the time-out at most, so that the other half is left to connect anew.
    async fn lives(&self, connection: &Connection) -> bool {
        let mut asked = connection.clone();
        let ping = ::redis::cmd("PING");
        let answer = tokio::time::timeout(self.timeout / 2, ping.query_async::<()>(&mut asked));
        matches!(answer.await, Ok(Ok(())))
    }

    /// Notes a sign of life.
    fn hear(&self, lane: &Lane) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        lane.heard.store(now, Ordering::Relaxed);
    }

    /// How long ago the last one was.
    fn silence(&self, lane: &Lane) -> Duration {
        let heard = Duration::from_millis(lane.heard.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(heard)
    }
}
