//! A Django project's users in PostgreSQL.

use std::{io::Write, str::FromStr};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, postgres::PgConnectOptions};

use super::row::{DjangoError, line};

pub(super) async fn read(url: &str, table: &str, to: &mut (dyn Write + Send)) -> Result<u64, DjangoError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| DjangoError::Url)?;
    let mut connection = PgConnection::connect_with(&options)
        .await
        .map_err(|error| said(&error))?;
    // Its own snapshot, and no change.
    let begin = sqlx::raw_sql("SET default_transaction_read_only = on; SET timezone = 'UTC'");
    begin
        .execute(&mut connection)
        .await
        .map_err(|error| said(&error))?;
    // The name was checked. As a whole, so that any columns do.
    let query = AssertSqlSafe(format!("SELECT to_jsonb(u)::text FROM \"{table}\" u ORDER BY id"));
    let mut count = 0;
    let mut rows = sqlx::query(query).fetch(&mut connection);
    while let Some(row) = rows.try_next().await.map_err(|error| said(&error))? {
        let row: String = row.try_get(0).map_err(|error| said(&error))?;
        count += 1;
        writeln!(to, "{}", line(&row).unwrap_or_else(|| "?".to_owned()))?;
    }
    Ok(count)
}

/// The server's words name tables and columns; those of a connection that isn't made, hosts.
fn said(error: &sqlx::Error) -> DjangoError {
    DjangoError::Database(match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        _ => "an answer that was not expected".to_owned(),
    })
}
