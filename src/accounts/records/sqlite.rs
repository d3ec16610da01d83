//! All that is kept about a user in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    Erased, Erasure, RecordStore, Table, UnusedPage, UnusedSince,
    tables::{MAX_ROWS, TABLES},
};
use crate::{
    accounts::administrators::is_last::sqlite::is_last_administrator,
    database::{SqliteLink, sqlite::Query},
    events::{NewEvent, sqlite::event},
    unavailable::Unavailable,
};

const ERASE: [&str; 7] = [
    "DELETE FROM sessions WHERE user_id = ?1",
    "DELETE FROM users WHERE id = ?1",
    "DELETE FROM notices WHERE user_id = ?1",
    // What an administrator did stays theirs; a reason may name the user.
    "UPDATE events SET user_id = NULL, reason = NULL, \
     actor_id = CASE WHEN actor = 'administrator' THEN actor_id END, \
     network = CASE WHEN actor = 'administrator' THEN network END WHERE user_id = ?1",
    "UPDATE events SET actor_id = NULL, network = NULL WHERE actor = 'administrator' AND actor_id = ?1",
    "UPDATE administrators SET granted_by = NULL WHERE granted_by = ?1",
    "UPDATE verifications SET user_id = NULL WHERE user_id = ?1",
];

macro_rules! is_unused {
    () => {
        "(NOT u.phone_verified AND NOT u.email_verified AND u.phone_owned_at IS NULL AND u.email_owned_at IS NULL \
         AND u.locked_at IS NULL AND (u.phone_claimed_at IS NULL OR u.phone_claimed_at > 0) \
         AND coalesce(u.imported_at, 0) < ?2 \
         AND coalesce(u.signed_in_at, CASE WHEN u.imported_at IS NULL THEN u.created_at END, 0) < ?3 \
         AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id AND s.expires_at >= ?2))"
    };
}

/// All that is kept about a user in an SQLite file.
#[derive(Debug)]
pub struct SqliteRecords(SqliteLink);

impl SqliteRecords {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }

    /// Erases the account that `find` finds, if it finds one and it isn't the last administrator's.
    async fn erase_found(&self, find: Query, user: Uuid, deleted: &NewEvent) -> Result<Erased, Unavailable> {
        let erased = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let last = is_last_administrator(user);
            if last.fetch_one(&mut *transaction).await? {
                return Ok(Erased::LastAdministrator);
            }
            if find.fetch_optional(&mut *transaction).await?.is_none() {
                return Ok(Erased::Void);
            }
            for sql in ERASE {
                let query = sqlx::query(sql).bind(user.hyphenated());
                query.execute(&mut *transaction).await?;
            }
            event(deleted, None).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Erased::Erased)
        });
        let erased = erased.await?;
        if erased == Erased::Erased {
            self.0.empty_log().await;
            deleted.count();
        }
        Ok(erased)
    }

    async fn rows(&self, table: &Table, user: Uuid) -> Result<Vec<Value>, Unavailable> {
        let Table {
            name,
            whose,
            only,
            newest_by,
            ..
        } = table;
        let columns: Vec<_> = table
            .given()
            .map(|(column, _)| format!("'{column}', {column}"))
            .collect();
        let columns = columns.join(", ");
        // Nothing but the names of tables and columns goes into it.
        let sql = format!(
            "SELECT json_object({columns}) FROM {name} WHERE {whose} = ?1 AND {only} ORDER BY {newest_by} DESC LIMIT {MAX_ROWS}"
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(user.hyphenated());
        let rows: Vec<String> = self.0.bounded(query.fetch_all(&self.0.readers)).await?;
        let user = user.to_string();
        Ok(rows.iter().map(|row| table.row(row, &user)).collect())
    }
}

#[async_trait]
impl RecordStore for SqliteRecords {
    async fn erase(&self, erasure: Erasure) -> Result<Erased, Unavailable> {
        const FIND: &str = "SELECT 1 FROM users u WHERE id = ?1 AND (?3 IS NULL OR session_epoch = ?2 AND locked_at IS NULL \
             AND EXISTS ( \
               SELECT 1 FROM sessions s WHERE s.id = ?3 AND s.user_id = u.id AND s.epoch = ?2 AND s.revoked_at IS NULL \
             ))";
        let (epoch, session) = erasure.by.proof();
        let find = sqlx::query(FIND)
            .bind(erasure.user.hyphenated())
            .bind(epoch)
            .bind(session.map(Uuid::hyphenated));
        self.erase_found(find, erasure.user, &erasure.event).await
    }

    async fn unused(&self, since: UnusedSince, after: Uuid, limit: u32) -> Result<UnusedPage, Unavailable> {
        const SQL: &str = concat!(
            "SELECT u.id, ",
            is_unused!(),
            " FROM users u WHERE u.id > ?1 ORDER BY u.id LIMIT ?4"
        );
        let query = sqlx::query(SQL)
            .bind(after.hyphenated())
            .bind(since.idle.timestamp_micros())
            .bind(since.opened.timestamp_micros())
            .bind(limit)
            .try_map(|row: SqliteRow| Ok((row.try_get::<Hyphenated, _>(0)?.into_uuid(), row.try_get(1)?)));
        let rows = self.0.bounded(query.fetch_all(&self.0.readers)).await?;
        Ok(UnusedPage::of(&rows, limit))
    }

    async fn erase_unused(
        &self,
        user: Uuid,
        since: UnusedSince,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        const FIND: &str = concat!("SELECT 1 FROM users u WHERE u.id = ?1 AND ", is_unused!());
        let find = sqlx::query(FIND)
            .bind(user.hyphenated())
            .bind(since.idle.timestamp_micros())
            .bind(since.opened.timestamp_micros());
        let erased = self.erase_found(find, user, &event).await?;
        Ok(erased == Erased::Erased)
    }

    async fn export(&self, user: Uuid) -> Result<Option<Value>, Unavailable> {
        let mut export = Map::new();
        for table in &TABLES {
            let rows = self.rows(table, user).await?;
            if table.whose == "id" && rows.is_empty() {
                return Ok(None);
            }
            export.insert(table.name.to_owned(), rows.into());
        }
        Ok(Some(export.into()))
    }
}
