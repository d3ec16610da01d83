//! When a connection to PostgreSQL is given up, how a statement is run on one, and what is said when one fails.

use std::{
    io::ErrorKind,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt, StreamExt, TryFutureExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Connection, Either, Execute, Executor, PgConnection, Postgres, SqlSafeStr, SqlStr, Transaction,
    error::BoxDynError,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use thiserror::Error;
use tokio::time::timeout;

use crate::database::Fault;

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

    /// Whether what was found since then speaks against it.
    pub fn gives_up(&self, age: Duration, idle_for: Duration) -> bool {
        let now = Instant::now();
        *lock(&self.doubted) > now.checked_sub(idle_for) || *lock(&self.outdated) > now.checked_sub(age)
    }

    /// Asks it whether it lives, unless it is given up.
    pub async fn check(
        &self,
        connection: &mut PgConnection,
        age: Duration,
        idle_for: Duration,
    ) -> Result<(), sqlx::Error> {
        if self.gives_up(age, idle_for) {
            return Err(sqlx::Error::Io(ErrorKind::ConnectionAborted.into()));
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

/// A transaction. Dropped before [`Together::commit`], nothing of it takes effect.
pub(crate) struct Together<'c> {
    transaction: Transaction<'c, Postgres>,
    run: Run,
    is_settled: &'c mut bool,
}

impl<'c> Together<'c> {
    /// `begin` begins it where nothing can be prepared by a name. `is_settled` is false until it has ended.
    pub(in crate::database) async fn begin(
        connection: &'c mut PgConnection,
        begin: Option<SqlStr>,
        is_settled: &'c mut bool,
    ) -> Result<Self, sqlx::Error> {
        let (begin, run) = match begin {
            Some(begin) => (begin, Run::Unnamed),
            None => ("BEGIN".into_sql_str(), Run::Prepared),
        };
        *is_settled = false;
        let transaction = connection.begin_with(begin).await?;
        Ok(Self {
            transaction,
            run,
            is_settled,
        })
    }

    pub fn session(&mut self) -> Session<'_> {
        Session {
            connection: &mut self.transaction,
            run: self.run.clone(),
            is_settled: None,
        }
    }

    /// For who writes of users whom somebody may be erasing: at the same time as others who do.
    ///
    /// An erasure that is under way is over then, and who writes sees that the user is gone; one that comes later waits in
    /// [`Together::after_writers`], and finds what was written. Cheaper than a lock on each user's row, which changes the row.
    pub async fn beside_writers(&mut self) -> Result<(), sqlx::Error> {
        self.take_turn("SELECT pg_advisory_xact_lock_shared(1382641257, 0)")
            .await
    }

    /// For who erases a user, before the next statement looks for what names the user: once all who write of users are done.
    pub async fn after_writers(&mut self) -> Result<(), sqlx::Error> {
        self.take_turn("SELECT pg_advisory_xact_lock(1382641257, 0)")
            .await
    }

    async fn take_turn(&mut self, turn: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(turn).execute(self.session()).await.map(drop)
    }

    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await?;
        *self.is_settled = true;
        Ok(())
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
    /// False while a statement is under way, for who wants to know.
    is_settled: Option<&'c mut bool>,
}

impl<'c> Session<'c> {
    /// For statements that each stand for themselves; `begin` begins each, where they can't be prepared.
    pub(in crate::database) fn each(connection: &'c mut PgConnection, begin: Option<&SqlStr>) -> Self {
        Self {
            connection,
            run: Run::of(begin),
            is_settled: None,
        }
    }

    /// The same, noting whether one is under way.
    pub(in crate::database) fn noting(self, is_settled: &'c mut bool) -> Self {
        Self {
            is_settled: Some(is_settled),
            ..self
        }
    }

    /// For one more statement.
    pub fn again(&mut self) -> Session<'_> {
        Session {
            connection: self.connection,
            run: self.run.clone(),
            is_settled: self.is_settled.as_deref_mut(),
        }
    }

    /// All that a statement says. In a transaction of its own, nothing is said before that has taken effect.
    fn items<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, sqlx::Error>>
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

    fn row<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
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
}

type Item = Either<PgQueryResult, PgRow>;

impl<'c> Executor<'c> for Session<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(mut self, query: E) -> BoxStream<'e, Result<Item, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Some(is_settled) = self.is_settled.take() else {
            return self.items(query);
        };
        *is_settled = false;
        let end = stream::poll_fn(move |_| {
            *is_settled = true;
            Poll::Ready(None)
        });
        self.items(query).chain(end).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(mut self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Some(is_settled) = self.is_settled.take() else {
            return self.row(query);
        };
        *is_settled = false;
        self.row(query).inspect_ok(move |_| *is_settled = true).boxed()
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

/// What a call met, in the words of the server or the system.
pub(in crate::database) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => Fault::refused(
            error.code().unwrap_or_default().into_owned(),
            error.message(),
            error.constraint(),
        ),
        sqlx::Error::Io(error) => Fault::Io(error.to_string()),
        sqlx::Error::PoolTimedOut => Fault::Other("no connection in time".to_owned()),
        sqlx::Error::PoolClosed => Fault::Other("closed".to_owned()),
        sqlx::Error::Tls(error) => Fault::Other(format!("TLS: {error}")),
        sqlx::Error::Configuration(error) => match error.downcast_ref() {
            Some(NotConnected::Refused(error)) => fault(error),
            Some(NotConnected::NoneInTime(cause)) => Fault::Other(cause.clone()),
            None => Fault::Other("not connected: the URL or a file of it is at fault".to_owned()),
        },
        _ => Fault::Other("an answer that was not expected".to_owned()),
    }
}
