//! A Django project's users in SQLite.

use std::str::FromStr;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, sqlite::SqliteConnectOptions};

use super::row::{DjangoError, keep};
use crate::accounts::transfer::lines::Rows;

/// What is asked for where the table has it. Django keeps times in UTC, as `2026-11-26 10:00:00.123456`.
const COLUMNS: [&str; 9] = [
    "id",
    "email",
    "password",
    "phone",
    "first_name",
    "last_name",
    "phone_verified",
    "email_verified",
    "is_active",
];
const TIMES: [&str; 2] = ["created_at", "date_joined"];

pub(super) async fn read(url: &str, table: &str, to: &mut Rows) -> Result<u64, DjangoError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| DjangoError::Url)?
        .read_only(true);
    let mut connection = options.connect().await.map_err(|error| said(&error))?;
    let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info(?1)").bind(table.to_owned());
    let columns: Vec<String> = columns
        .fetch_all(&mut connection)
        .await
        .map_err(|error| said(&error))?;
    if columns.is_empty() {
        return Err(DjangoError::NoTable(table.to_owned()));
    }
    let has = |name: &&&str| columns.iter().any(|column| column == **name);
    let plain = COLUMNS
        .iter()
        .filter(has)
        .map(|name| format!("'{name}', u.{name}"));
    let times = TIMES
        .iter()
        .filter(has)
        .map(|name| format!("'{name}', replace(u.{name}, ' ', 'T') || 'Z'"));
    let columns: Vec<_> = plain.chain(times).collect();
    // The names are those above, and the table's was checked.
    let query = format!(
        "SELECT json_object({}) FROM \"{table}\" u ORDER BY id",
        columns.join(", ")
    );
    let mut count = 0;
    let mut rows = sqlx::query(AssertSqlSafe(query)).fetch(&mut connection);
    while let Some(row) = rows.try_next().await.map_err(|error| said(&error))? {
        let row: String = row.try_get(0).map_err(|error| said(&error))?;
        count += 1;
        keep(&row, to)?;
    }
    Ok(count)
}

fn said(error: &sqlx::Error) -> DjangoError {
    DjangoError::Database(match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        _ => "an answer that was not expected".to_owned(),
    })
}
