//! A row of a Django project's table, as a line.

use std::io;

use serde_json::{Map, Value, json};
use thiserror::Error;
use uuid::Uuid;

use crate::accounts::transfer::lines::Rows;

/// Why the table wasn't read.
#[derive(Debug, Error)]
pub enum DjangoError {
    #[error(
        "not a URL of a database: postgres://user:password@host/database or sqlite:///path/to/db.sqlite3"
    )]
    Url,
    #[error("a table's name has letters, digits and _ only")]
    Table,
    #[error(
        "the Django database has no table {0}: name the one of its users by --table, such as --table auth_user"
    )]
    NoTable(String),
    #[error("the Django database can't be read: {0}")]
    Database(String),
    #[error("the Django database does not answer")]
    Silent,
    #[error("the lines can't be kept: {0}")]
    Keep(#[from] io::Error),
}

/// Keeps a row of the table, an object of its columns, as a line.
pub(super) fn keep(row: &str, rows: &mut Rows) -> io::Result<()> {
    let Ok(Value::Object(mut row)) = serde_json::from_str(row) else {
        return rows.add("?", None);
    };
    let mut take = |name: &str| row.remove(name).unwrap_or_default();
    let (id, name) = match take("id") {
        Value::String(id) if Uuid::parse_str(&id).is_ok() => (Value::String(id.clone()), Some(id)),
        Value::Number(id) => (Value::Null, Some(id.to_string())),
        _ => (Value::Null, None),
    };
    let joined = match take("created_at") {
        Value::Null => take("date_joined"),
        created => created,
    };
    let is_active = take("is_active");
    let is_locked = is_active == json!(false) || is_active == json!(0);
    let mut line = Map::new();
    line.insert("id".to_owned(), id);
    line.insert("password_hash".to_owned(), take("password"));
    line.insert("created_at".to_owned(), joined);
    line.insert("locked".to_owned(), Value::Bool(is_locked));
    for name in [
        "email",
        "phone",
        "first_name",
        "last_name",
        "phone_verified",
        "email_verified",
    ] {
        line.insert(name.to_owned(), take(name));
    }
    rows.add(&Value::Object(line).to_string(), name.as_deref())
}
