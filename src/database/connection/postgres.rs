//! Connections to PostgreSQL that the pool lends, when one is given up, and how a statement is run on one.

use std::{
    io::ErrorKind,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    StreamExt, TryFutureExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Connection, Either, Execute, Executor, PgConnection, Postgres, SqlSafeStr, SqlStr, Transaction,
    error::BoxDynError,
    pool::PoolConnection,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use thiserror::Error;
use tokio::time::timeout;

/// How long a connection may take to be given back: sqlx drains it and asks it whether it lives, without a bound.
pub(in crate::database) const GIVE_BACK: Duration = Duration::from_secs(1);

/// A connection on loan, given back within a bound whatever happens to its borrower.
///
/// sqlx gives a connection back by asking it whether it lives, for as long as it takes. One whose server vanished
/// without a word would keep its place in the pool for a quarter of an hour; here it loses it after [`GIVE_BACK`].
pub(crate) struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    begin: Option<SqlStr>,
}

/// Which connections are taken to be of use. What broke one has broken those that lay idle meanwhile, more likely than
/// not: they are not asked one after the other, each for as long as it takes to give it up.
pub(in crate::database) struct Trust {
    /// When one was last found to be broken: what has not been used since is given up.
    doubted: Mutex<Option<Instant>>,
    /// When the server was last found to be another than it was (read-only, shutting down): what was made before is given
    /// up, since a new connection may reach the one that took its place.
    outdated: Mutex<Option<Instant>>,
    /// How long one is asked: of the time that its borrower has, some is left to make another.
    patience: Duration,
}

/// A connection that the server made read-only and that nothing can be done about costs no more than one renewal of all
/// in this time.
const RENEWAL: Duration = Duration::from_secs(1);

impl Trust {
    pub fn new(patience: Duration) -> Self {
        Self {
            doubted: Mutex::default(),
            outdated: Mutex::default(),
            patience,
        }
    }

    /// `fresh`: one that was used so lately is taken to be alive without being asked.
    pub async fn check(
        &self,
        connection: &mut PgConnection,
        age: Duration,
        idle_for: Duration,
        fresh: Duration,
    ) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        let is_given_up =
            *lock(&self.doubted) > now.checked_sub(idle_for) || *lock(&self.outdated) > now.checked_sub(age);
        if is_given_up {
            return Err(sqlx::Error::Io(ErrorKind::ConnectionAborted.into()));
        }
        if idle_for < fresh {
            return Ok(());
        }
        let answer = timeout(self.patience, connection.ping()).await;
        let answer = answer.unwrap_or_else(|late| Err(sqlx::Error::Io(late.into())));
        answer.inspect_err(|error| self.learn(error))
    }

    /// Learns from what a call met.
    pub fn learn(&self, error: &sqlx::Error) {
        let now = Instant::now();
        match error {
            sqlx::Error::Io(_) => *lock(&self.doubted) = Some(now),
            sqlx::Error::Database(error) if error.code().is_some_and(|code| is_of_another_server(&code)) => {
                let mut outdated = lock(&self.outdated);
                if outdated.is_none_or(|last| now.duration_since(last) >= RENEWAL) {
                    *outdated = Some(now);
                }
            }
            _ => {}
        }
    }
}

/// Whether a server that says so may be another than the one that was connected to: read-only, in recovery, shutting down,
/// starting, without its connection (a pooler says so).
fn is_of_another_server(code: &str) -> bool {
    matches!(code, "25006" | "57P01" | "57P02" | "57P03" | "57P05") || code.starts_with("08")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lent {
    pub(in crate::database) fn new(connection: PoolConnection<Postgres>, begin: Option<SqlStr>) -> Self {
        Self {
            connection: Some(connection),
            begin,
        }
    }

    /// For statements that each stand for themselves.
    pub fn session(&mut self) -> Session<'_> {
        let run = Run::of(self.begin.as_ref());
        Session::new(self.connection(), run)
    }

    /// For statements that take effect together.
    pub async fn begin(&mut self) -> Result<Together<'_>, sqlx::Error> {
        let (begin, run) = match self.begin.clone() {
            Some(begin) => (begin, Run::Unnamed),
            None => ("BEGIN".into_sql_str(), Run::Prepared),
        };
        let transaction = self.connection().begin_with(begin).await?;
        Ok(Together { transaction, run })
    }

    fn connection(&mut self) -> &mut PgConnection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("taken in drop alone"),
        }
    }
}

/// A transaction. Dropped before [`Together::commit`], nothing of it takes effect.
pub(crate) struct Together<'c> {
    transaction: Transaction<'c, Postgres>,
    run: Run,
}

impl Together<'_> {
    pub fn session(&mut self) -> Session<'_> {
        Session::new(&mut self.transaction, self.run.clone())
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

/// How a statement is run.
#[derive(Debug, Clone)]
enum Run {
    /// Prepared once for the connection.
    Prepared,
    /// Prepared under no name each time, within the transaction that is under way.
    Unnamed,
    /// The same in a transaction of its own, which this begins.
    InItsOwnTransaction(SqlStr),
}

impl Run {
    fn of(begin: Option<&SqlStr>) -> Self {
        match begin {
            Some(begin) => Self::InItsOwnTransaction(begin.clone()),
            None => Self::Prepared,
        }
    }
}

/// A connection that runs statements in the way that reaches the server.
#[derive(Debug)]
pub(crate) struct Session<'c> {
    connection: &'c mut PgConnection,
    run: Run,
}

impl<'c> Session<'c> {
    fn new(connection: &'c mut PgConnection, run: Run) -> Self {
        Self { connection, run }
    }

    /// For statements that each stand for themselves; `begin` begins each, where they can't be prepared.
    pub(in crate::database) fn each(connection: &'c mut PgConnection, begin: Option<&SqlStr>) -> Self {
        Self::new(connection, Run::of(begin))
    }

    /// For one more statement.
    pub fn again(&mut self) -> Session<'_> {
        Session::new(self.connection, self.run.clone())
    }
}

type Item = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for Session<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let connection = self.connection;
        match self.run {
            Run::Prepared => connection.fetch_many(query),
            Run::Unnamed => connection.fetch_many(Nameless(query)),
            Run::InItsOwnTransaction(begin) => {
                let all = async move {
                    let mut transaction = connection.begin_with(begin).await?;
                    let items = (&mut *transaction).fetch_many(Nameless(query));
                    let items: Vec<Item> = items.try_collect().await?;
                    transaction.commit().await?;
                    Ok(stream::iter(items.into_iter().map(Ok)))
                };
                all.try_flatten_stream().boxed()
            }
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let connection = self.connection;
        match self.run {
            Run::Prepared => connection.fetch_optional(query),
            Run::Unnamed => connection.fetch_optional(Nameless(query)),
            Run::InItsOwnTransaction(begin) => Box::pin(async move {
                let mut transaction = connection.begin_with(begin).await?;
                let row = (&mut *transaction).fetch_optional(Nameless(query)).await?;
                transaction.commit().await?;
                Ok(row)
            }),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.connection.prepare_with(sql, parameters)
    }
}

/// A statement that gets no name when it is prepared.
struct Nameless<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Nameless<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                // Hidden in sqlx's documentation, public since 0.4: it is what its own drop does.
                let _ = timeout(GIVE_BACK, connection.return_to_pool()).await;
            })),
            Err(_) => drop(connection.detach()),
        }
    }
}

/// Why a connection did not come to be. It says nothing of those that stand: where the server, or a pooler before it, takes
/// no more of them, to give those up would ask for more still.
#[derive(Debug, Error)]
pub(in crate::database) enum NotConnected {
    #[error(transparent)]
    Refused(sqlx::Error),
    /// The pool waited for one as long as it may.
    #[error("{0}")]
    NoneInTime(String),
}

pub(in crate::database) fn not_connected(error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => error,
        other => sqlx::Error::Configuration(Box::new(NotConnected::Refused(other))),
    }
}

/// The pool had none in time, for this cause.
pub(in crate::database) fn no_connection(cause: String) -> sqlx::Error {
    sqlx::Error::Configuration(Box::new(NotConnected::NoneInTime(cause)))
}
