//! The directory in SQLite. The statements are those of `postgres.rs`; texts are compared byte by byte as there.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    AssertSqlSafe, Row, Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use super::{AccountDetails, AccountStatus, Directory, Search, search::end_of};
use crate::{
    accounts::users::row::sqlite::{AFTER_USER, user as user_of, user_columns},
    database::{SqliteLink, sqlite::time},
    email::EmailAddress,
    phone::PhoneNumber,
    tokens::Role,
    unavailable::Unavailable,
};

/// Begins a statement whose rows [`details`] reads.
const COLUMNS: &str = concat!(
    user_columns!(),
    "u.password_hash IS NOT NULL, u.phone_owned_at, u.email_owned_at, u.signed_in_at, u.imported_at, u.password_reset_at, \
     u.locked_at, a.role FROM users u LEFT JOIN administrators a ON a.user_id = u.id WHERE "
);

/// The directory in an SQLite file.
#[derive(Debug)]
pub struct SqliteDirectory(SqliteLink);

impl SqliteDirectory {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }

    async fn rows(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Vec<AccountDetails>, Unavailable> {
        let query = query.try_map(|row: SqliteRow| details(&row));
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }
}

#[async_trait]
impl Directory for SqliteDirectory {
    async fn all(&self, search: &Search) -> Result<Vec<AccountDetails>, Unavailable> {
        let sql = statement("u.id < ?1", search.status, "ORDER BY u.id DESC LIMIT ?2");
        let before = search.after.map_or(Uuid::max(), |place| place.id);
        let query = sqlx::query(AssertSqlSafe(sql));
        self.rows(query.bind(before.hyphenated()).bind(i64::from(search.limit)))
            .await
    }

    async fn by_phone(
        &self,
        search: &Search,
        phone: &PhoneNumber,
    ) -> Result<Vec<AccountDetails>, Unavailable> {
        let sql = statement(
            "u.phone = ?1 AND u.id > ?2",
            search.status,
            "ORDER BY u.id LIMIT ?3",
        );
        let after = search.after.map_or(Uuid::nil(), |place| place.id);
        let query = sqlx::query(AssertSqlSafe(sql)).bind(phone.expose().to_owned());
        self.rows(query.bind(after.hyphenated()).bind(i64::from(search.limit)))
            .await
    }

    async fn by_email(&self, search: &Search, email: &str) -> Result<Vec<AccountDetails>, Unavailable> {
        let after = search.after.filter(|place| !place.by_name);
        // Where it goes on alone, so that the index begins there.
        let behind = after.map_or(
            "",
            |_| " AND u.email_key > (SELECT email_key FROM users WHERE id = ?3)",
        );
        let sql = statement(
            &format!("u.email_key >= ?1 AND u.email_key < ?2 AND (?3 IS NULL OR true){behind}"),
            search.status,
            "ORDER BY u.email_key LIMIT ?4",
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(email.to_owned())
            .bind(end_of(email))
            .bind(after.map(|place| place.id.hyphenated()))
            .bind(i64::from(search.limit));
        self.rows(query).await
    }

    async fn by_name(
        &self,
        search: &Search,
        (email, name): (&str, &str),
        limit: u32,
    ) -> Result<Vec<AccountDetails>, Unavailable> {
        let after = search.after.filter(|place| place.by_name);
        let behind = after.map_or(
            "",
            |_| " AND (u.last_name_key, u.id) > ((SELECT last_name_key FROM users WHERE id = ?3), ?3)",
        );
        let sql = statement(
            &format!(
                "u.last_name_key <> '' AND u.last_name_key >= ?1 AND u.last_name_key < ?2 AND (?3 IS NULL OR true){behind} \
                   AND (u.email_key IS NULL OR u.email_key < ?4 OR u.email_key >= ?5)"
            ),
            search.status,
            "ORDER BY u.last_name_key, u.id LIMIT ?6",
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(name.to_owned())
            .bind(end_of(name))
            .bind(after.map(|place| place.id.hyphenated()))
            .bind(email.to_owned())
            .bind(end_of(email))
            .bind(i64::from(limit));
        self.rows(query).await
    }

    async fn find(&self, id: Uuid) -> Result<Option<AccountDetails>, Unavailable> {
        let query = sqlx::query(AssertSqlSafe(format!("{COLUMNS} u.id = ?1"))).bind(id.hyphenated());
        Ok(self.rows(query).await?.pop())
    }

    async fn find_by_email(&self, email: &EmailAddress) -> Result<Option<AccountDetails>, Unavailable> {
        let query =
            sqlx::query(AssertSqlSafe(format!("{COLUMNS} u.email_key = ?1"))).bind(email.key().to_owned());
        Ok(self.rows(query).await?.pop())
    }
}

/// A statement of parts that stand in this file.
fn statement(condition: &str, status: Option<AccountStatus>, order: &str) -> String {
    format!("{COLUMNS}{condition}{} {order}", AccountStatus::condition(status))
}

fn details(row: &SqliteRow) -> Result<AccountDetails, sqlx::Error> {
    let at = |column: usize| -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(time))
    };
    Ok(AccountDetails {
        user: user_of(row)?,
        has_password: row.try_get(AFTER_USER)?,
        phone_owned_at: at(AFTER_USER + 1)?,
        email_owned_at: at(AFTER_USER + 2)?,
        signed_in_at: at(AFTER_USER + 3)?,
        imported_at: at(AFTER_USER + 4)?,
        password_reset_at: at(AFTER_USER + 5)?,
        locked_at: at(AFTER_USER + 6)?,
        role: row
            .try_get::<Option<&str>, _>(AFTER_USER + 7)?
            .and_then(Role::from_name),
    })
}
