//! The same in SQLite.

use sqlx::{Sqlite, query::QueryScalar, sqlite::SqliteArguments};
use uuid::Uuid;

/// Answers whether it is: for a transaction that takes an administrator away. There is one writer at a time.
pub(in crate::accounts) fn is_last_administrator(
    user: Uuid,
) -> QueryScalar<'static, Sqlite, bool, SqliteArguments> {
    const LAST: &str = "SELECT EXISTS (SELECT 1 FROM administrators WHERE user_id = ?1 AND role = 'admin') AND NOT EXISTS ( \
           SELECT 1 FROM administrators a JOIN users u ON u.id = a.user_id \
           WHERE a.user_id <> ?1 AND a.role = 'admin' AND u.locked_at IS NULL)";
    sqlx::query_scalar(LAST).bind(user.hyphenated())
}
