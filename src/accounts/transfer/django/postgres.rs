//! A Django project's users in PostgreSQL.

use std::{str::FromStr, time::Duration};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, postgres::PgConnectOptions};
use tokio::time::timeout;

use super::row::{DjangoError, keep};
use crate::accounts::transfer::lines::Rows;

/// How long a server that does not answer is waited for: at first, and for a row. The first of them may be sorted for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const ROW_TIMEOUT: Duration = Duration::from_secs(120);
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const UNDEFINED_TABLE: &str = "42P01";

pub(super) async fn read(url: &str, table: &str, to: &mut Rows) -> Result<u64, DjangoError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| DjangoError::Url)?;
    let connecting = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        // Its own snapshot, and no change.
        let begin = sqlx::raw_sql("SET default_transaction_read_only = on; SET timezone = 'UTC'");
        begin.execute(&mut connection).await?;
        Ok(connection)
    };
    let mut connection = in_time(CONNECT_TIMEOUT, connecting).await?;
    // The name was checked. As a whole, so that any columns do.
    let query = AssertSqlSafe(format!("SELECT to_jsonb(u)::text FROM \"{table}\" u ORDER BY id"));
    let mut count = 0;
    let mut rows = sqlx::query(query).fetch(&mut connection);
    loop {
        let next = timeout(ROW_TIMEOUT, rows.try_next()).await;
        let next = next.map_err(|_| DjangoError::Silent)?;
        let Some(row) = next.map_err(|error| refused(&error, table))? else {
            return Ok(count);
        };
        let row: String = row.try_get(0).map_err(|error| said(&error))?;
        count += 1;
        keep(&row, to)?;
    }
}

/// What the server says of the query: there may be no such table.
fn refused(error: &sqlx::Error, table: &str) -> DjangoError {
    match error {
        sqlx::Error::Database(error) if error.code().as_deref() == Some(UNDEFINED_TABLE) => {
            DjangoError::NoTable(table.to_owned())
        }
        error => said(error),
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DjangoError> {
    let done = timeout(limit, work).await.map_err(|_| DjangoError::Silent)?;
    done.map_err(|error| said(&error))
}

/// The server's words name tables and columns; those of a connection that isn't made, hosts.
fn said(error: &sqlx::Error) -> DjangoError {
    DjangoError::Database(match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        _ => "an answer that was not expected".to_owned(),
    })
}
