//! Connections to PostgreSQL that are lent for one call each: a pool of deadpool's.
//!
//! sqlx's own pool asks each connection that comes back whether it lives, which is a round trip for each call, and can't be
//! told not to. Here only that is asked which was left in the middle of a statement or a transaction.

use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool::{
    Runtime,
    managed::{
        BuildError, Manager, Metrics, Object, Pool as Places, PoolError, QueueMode, RecycleError,
        RecycleResult, Status, TimeoutType, Timeouts,
    },
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlStr, postgres::PgConnectOptions};
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};

use crate::database::{
    connection::postgres::{Session, Together, Trust, fault, no_connection, not_connected},
    way::postgres::Way,
};

/// How long a connection may take to be given back, or to say goodbye.
pub(in crate::database) const GIVE_BACK: Duration = Duration::from_secs(1);
/// One that was used so lately is taken to be alive; another is asked first.
pub(in crate::database) const FRESH: Duration = Duration::from_millis(100);
/// An older one is replaced, so that servers that were added, and settings that were changed, come to be used.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// One that nobody needed for so long is closed.
const MAX_IDLE: Duration = Duration::from_secs(10 * 60);
const SWEEP: Duration = Duration::from_secs(60);
/// The pauses before a server that refuses, or has no room, is asked again: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(320));
/// How often it is looked, at the end, whether all have come back.
const LOOK: Duration = Duration::from_millis(5);

/// Makes connections, and says which are still of use.
pub(in crate::database) struct Maker {
    pub connect: PgConnectOptions,
    pub way: Arc<OnceCell<Way>>,
    pub trust: Arc<Trust>,
    /// How long a statement may take.
    pub limit: Duration,
    /// Why the last try to connect failed, and when.
    failed: Mutex<Option<(Instant, String)>>,
}

impl Maker {
    pub fn new(
        connect: PgConnectOptions,
        way: Arc<OnceCell<Way>>,
        trust: Arc<Trust>,
        limit: Duration,
    ) -> Self {
        Self {
            connect,
            way,
            trust,
            limit,
            failed: Mutex::default(),
        }
    }

    /// A connection on which statements are limited.
    pub async fn make(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.connect).await?;
        // What nobody waits for any more ends in the server too. Not where a session is shared: it would end others'
        // statements.
        if self.way.get().is_some_and(|way| !way.shares_sessions) {
            let set = format!("SET statement_timeout = {}", self.limit.as_millis());
            sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Why no connection came to be since then, if one was tried.
    fn why_none_since(&self, begin: Instant) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed
            .as_ref()
            .filter(|(at, _)| *at >= begin)
            .map(|(_, why)| why.clone())
    }
}

impl Manager for Maker {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        // What is rare is on the heap: its future is far larger than a query's.
        let made = Box::pin(self.make()).await;
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = made
            .as_ref()
            .err()
            .map(|error| (Instant::now(), fault(error).to_string()));
        made
    }

    async fn recycle(&self, connection: &mut PgConnection, about: &Metrics) -> RecycleResult<sqlx::Error> {
        if about.age() > MAX_AGE {
            return Err(RecycleError::message("too old"));
        }
        let lent = about.last_used();
        if !self.trust.gives_up(about.age(), lent) && lent < FRESH {
            return Ok(());
        }
        Box::pin(self.trust.check(connection, about.age(), lent))
            .await
            .map_err(RecycleError::Backend)
    }
}

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(in crate::database) struct Pool {
    places: Places<Maker>,
    /// How long a borrower waits.
    patience: Duration,
}

impl Pool {
    /// Connects at the first call. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// None is known: deadpool's, of a pool that bounds its calls and was given no runtime.
    pub fn new(maker: Maker, max_connections: usize, patience: Duration) -> Result<Self, BuildError> {
        let places = Places::builder(maker)
            .max_size(max_connections)
            // The one that came back last is the likeliest to be alive, and the others may rest.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()?;
        let weak = places.weak();
        tokio::spawn(async move {
            loop {
                sleep(SWEEP).await;
                let Some(places) = weak.upgrade().filter(|places| !places.is_closed()) else {
                    return;
                };
                let rested = places.retain(|_, about| about.last_used() < MAX_IDLE && about.age() < MAX_AGE);
                say_goodbye(rested.removed).await;
            }
        });
        Ok(Self { places, patience })
    }

    pub fn maker(&self) -> &Maker {
        self.places.manager()
    }

    /// A connection for one call; `begin` begins each statement on it, where they can't be prepared. A server that refuses
    /// to be connected to, or has no room, is asked again until it is too late.
    pub async fn lend(&self, begin: Option<SqlStr>) -> Result<Lent, sqlx::Error> {
        let asked = Instant::now();
        let (mut pause, last_pause) = PAUSES;
        loop {
            let left = self.patience.saturating_sub(asked.elapsed());
            let waits = Timeouts {
                wait: Some(left),
                create: Some(left),
                recycle: None,
            };
            let cause = match self.places.timeout_get(&waits).await {
                Ok(connection) => {
                    return Ok(Lent {
                        connection: Some(connection),
                        begin,
                        is_settled: true,
                    });
                }
                Err(PoolError::Backend(error)) if !is_passing(&error) => return Err(not_connected(error)),
                Err(PoolError::Backend(_)) if left > pause => {
                    sleep(pause).await;
                    pause = last_pause.min(pause * 2);
                    continue;
                }
                Err(PoolError::Backend(error)) => fault(&error).to_string(),
                Err(PoolError::Timeout(TimeoutType::Wait)) => {
                    let why = self.maker().why_none_since(asked);
                    why.unwrap_or_else(|| "all are busy".to_owned())
                }
                Err(PoolError::Closed) => return Err(sqlx::Error::PoolClosed),
                Err(_) => "the server does not answer".to_owned(),
            };
            return Err(no_connection(format!("no connection in time: {cause}")));
        }
    }

    pub fn status(&self) -> Status {
        self.places.status()
    }

    /// Closes one that rests, if one does and isn't the last.
    pub async fn give_up_one(&self) -> bool {
        if self.places.status().size < 2 {
            return false;
        }
        let mut found = false;
        let resting = self.places.retain(|_, _| std::mem::replace(&mut found, true));
        say_goodbye(resting.removed).await;
        found
    }

    /// Lends no more, and waits until all have come back.
    pub async fn close(&self) {
        let idle = self.places.retain(|_, _| false).removed;
        self.places.close();
        say_goodbye(idle).await;
        while self.places.status().size > 0 {
            sleep(LOOK).await;
        }
    }
}

async fn say_goodbye(connections: Vec<PgConnection>) {
    for connection in connections {
        let _ = timeout(GIVE_BACK, connection.close()).await;
    }
}

/// Whether it may be over in a moment: a server that starts, or that has not seen yet that others have gone.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

/// A connection on loan, given back within a bound whatever happens to its borrower.
pub(crate) struct Lent {
    connection: Option<Object<Maker>>,
    begin: Option<SqlStr>,
    /// No statement or transaction is under way on it.
    is_settled: bool,
}

impl Lent {
    /// For statements that each stand for themselves.
    pub fn session(&mut self) -> Session<'_> {
        let (connection, begin, is_settled) = self.parts();
        Session::each(connection, begin.as_ref()).noting(is_settled)
    }

    /// For statements that take effect together.
    pub async fn begin(&mut self) -> Result<Together<'_>, sqlx::Error> {
        let (connection, begin, is_settled) = self.parts();
        Together::begin(connection, begin.clone(), is_settled).await
    }

    fn parts(&mut self) -> (&mut PgConnection, &Option<SqlStr>, &mut bool) {
        match &mut self.connection {
            Some(connection) => (connection, &self.begin, &mut self.is_settled),
            None => unreachable!("taken in drop alone"),
        }
    }
}

impl Drop for Lent {
    /// What was left in the middle is asked whether it lives, which brings a transaction back, and ends what the server
    /// still says to a borrower who is gone. One that doesn't answer in time loses its place.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take().filter(|_| !self.is_settled) else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if !matches!(timeout(GIVE_BACK, connection.ping()).await, Ok(Ok(()))) {
                    drop(Object::take(connection));
                }
            })),
            Err(_) => drop(Object::take(connection)),
        }
    }
}
