//! Finds out what stands between this service and PostgreSQL, and keeps to what it takes.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, Row, SqlSafeStr, SqlStr,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use super::PreparedStatements;

/// How often two connections are compared: where others use the pooler too, one look may miss.
const LOOKS: usize = 3;
/// The number of the lock that migrations hold, where a session's lock would be lost.
const MIGRATION_LOCK: i64 = 1_382_641_254;

/// How statements reach the server.
#[derive(Debug, Clone)]
pub(in crate::database) struct Way {
    /// Each transaction may have another server connection: what is set for a session would be set for somebody else.
    pub shares_sessions: bool,
    /// Where nothing can be prepared by a name: begins the transaction that holds a statement's two round trips together.
    pub begin: Option<SqlStr>,
}

impl Way {
    /// Connects twice to find out, unless it is known.
    pub async fn find(
        connect: &PgConnectOptions,
        prepared: PreparedStatements,
        limit: Duration,
    ) -> Result<Self, sqlx::Error> {
        let shares_sessions = match prepared {
            PreparedStatements::Off => true,
            PreparedStatements::Auto | PreparedStatements::On => shares_sessions(connect).await?,
        };
        let is_unnamed = shares_sessions && prepared != PreparedStatements::On;
        if shares_sessions {
            tracing::info!(
                database.prepared_statements = !is_unnamed,
                "a pooler gives each transaction another server connection"
            );
        }
        let limit = limit.as_millis();
        let begin = format!("BEGIN; SET LOCAL statement_timeout = {limit}");
        Ok(Self {
            shares_sessions,
            begin: is_unnamed.then(|| AssertSqlSafe(begin).into_sql_str()),
        })
    }
}

/// Whether two connections of ours, both open, are served by one of the server, or one of ours by two.
async fn shares_sessions(connect: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut one = PgConnection::connect_with(connect).await?;
    let mut two = PgConnection::connect_with(connect).await?;
    let first = server_of(&mut one).await?;
    let mut shares = false;
    for _ in 0..LOOKS {
        shares = shares || server_of(&mut two).await? == first || server_of(&mut one).await? != first;
    }
    let _ = (one.close().await, two.close().await);
    Ok(shares)
}

/// The process of the server that serves a connection now. By the simple protocol: nothing is prepared.
async fn server_of(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await?;
    row.try_get(0)
}

/// Migrates in one transaction, which has one server connection. Where nothing can be prepared by a name, what others
/// prepared there goes first, and what the migrator prepares goes at the end.
pub(in crate::database) async fn migrate_in_one_transaction(
    way: &Way,
    migrations: &mut Migrator,
    connection: &mut PgConnection,
) -> Result<(), MigrateError> {
    // Where a pooler keeps track of names, it alone drops them.
    let forget = way.begin.as_ref().map_or("", |_| "DEALLOCATE ALL");
    migrations.set_locking(false);
    let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); SET LOCAL statement_timeout = 0");
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(forget).execute(&mut *transaction).await?;
    sqlx::raw_sql(AssertSqlSafe(lock))
        .execute(&mut *transaction)
        .await?;
    migrations.run_direct(None, &mut *transaction, false).await?;
    sqlx::raw_sql(forget).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}
