//! All that is kept about a user in PostgreSQL.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::{
    Erased, Erasure, RecordStore, Table, UnusedPage, UnusedSince,
    tables::{MAX_ROWS, TABLES},
};
use crate::{
    accounts::administrators::is_last::postgres::is_last_administrator,
    database::{PostgresLink, to_micros},
    events::{NewEvent, postgres::event},
    unavailable::Unavailable,
};

// In this order: each has a snapshot of its own. Whoever ends a session holds its row until the event of that is
// written, so once the sessions are gone no further event comes.
const ERASE: [&str; 3] = [
    "DELETE FROM sessions WHERE user_id = $1",
    "DELETE FROM users WHERE id = $1",
    "DELETE FROM notices WHERE user_id = $1",
];

/// What is kept without its user.
const FORGET: [&str; 4] = [
    // What an administrator did stays theirs; a reason may name the user.
    "UPDATE events SET user_id = NULL, reason = NULL, \
     actor_id = CASE WHEN actor = 'administrator' THEN actor_id END, \
     network = CASE WHEN actor = 'administrator' THEN network END WHERE user_id = $1",
    "UPDATE events SET actor_id = NULL, network = NULL WHERE actor = 'administrator' AND actor_id = $1",
    "UPDATE administrators SET granted_by = NULL WHERE granted_by = $1",
    "UPDATE verifications SET user_id = NULL WHERE user_id = $1",
];

/// What makes an account unused: $2 and $3 are the times of [`UnusedSince`]. Whoever had to give a phone to another account
/// had proven it once; their claim of it is of 1970. A session is opened with the account, but for imported ones.
macro_rules! is_unused {
    () => {
        "(NOT u.phone_verified AND NOT u.email_verified AND u.phone_owned_at IS NULL AND u.email_owned_at IS NULL \
         AND u.locked_at IS NULL AND (u.phone_claimed_at IS NULL OR u.phone_claimed_at > to_timestamp(0)) \
         AND coalesce(u.imported_at, '-infinity') < $2 \
         AND coalesce(u.signed_in_at, CASE WHEN u.imported_at IS NULL THEN u.created_at END, '-infinity') < $3 \
         AND NOT EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id AND s.expires_at >= $2))"
    };
}

/// All that is kept about a user in PostgreSQL.
#[derive(Debug)]
pub struct PostgresRecords(PostgresLink);

impl PostgresRecords {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }

    /// Erases the account that `lock` locks, if it locks one and it isn't the last administrator's.
    async fn erase_locked(
        &self,
        lock: Query<'_, sqlx::Postgres, PgArguments>,
        user: Uuid,
        deleted: &NewEvent,
    ) -> Result<Erased, Unavailable> {
        let erased = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            if is_last_administrator(&mut together, user).await? {
                return Ok(Erased::LastAdministrator);
            }
            if lock.fetch_optional(together.session()).await?.is_none() {
                return Ok(Erased::Void);
            }
            for sql in ERASE {
                sqlx::query(sql).bind(user).execute(together.session()).await?;
            }
            together.after_writers().await?;
            for sql in FORGET {
                sqlx::query(sql).bind(user).execute(together.session()).await?;
            }
            event(deleted, None).execute(together.session()).await?;
            together.commit().await?;
            Ok(Erased::Erased)
        });
        let erased = erased.await?;
        if erased == Erased::Erased {
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
        // Nothing but the names of tables and columns goes into it.
        let sql = format!(
            "SELECT to_jsonb(t)::text FROM (SELECT * FROM {name} WHERE {whose} = $1 AND {only} ORDER BY {newest_by} DESC LIMIT {MAX_ROWS}) AS t"
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(user);
        let rows: Vec<String> = self
            .0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await?;
        let user = user.to_string();
        Ok(rows.iter().map(|row| table.row(row, &user)).collect())
    }
}

#[async_trait]
impl RecordStore for PostgresRecords {
    async fn erase(&self, erasure: Erasure) -> Result<Erased, Unavailable> {
        // Whoever changes the account waits for this lock, and finds no account then. Without a session, an administrator
        // asks.
        const LOCK: &str = "SELECT true FROM users u WHERE id = $1 AND ($3 IS NULL OR session_epoch = $2 AND locked_at IS NULL \
             AND EXISTS ( \
               SELECT FROM sessions s WHERE s.id = $3 AND s.user_id = u.id AND s.epoch = $2 AND s.revoked_at IS NULL \
             )) FOR UPDATE";
        let (epoch, session) = erasure.by.proof();
        let lock = sqlx::query(LOCK).bind(erasure.user).bind(epoch).bind(session);
        self.erase_locked(lock, erasure.user, &erasure.event).await
    }

    async fn unused(&self, since: UnusedSince, after: Uuid, limit: u32) -> Result<UnusedPage, Unavailable> {
        const SQL: &str = concat!(
            "SELECT u.id, ",
            is_unused!(),
            " FROM users u WHERE u.id > $1 ORDER BY u.id LIMIT $4"
        );
        let query = sqlx::query(SQL)
            .bind(after)
            .bind(to_micros(since.idle))
            .bind(to_micros(since.opened))
            .bind(i64::from(limit));
        let rows = self
            .0
            .bounded(async {
                let rows = query.fetch_all(self.0.lend().await?.session()).await?;
                let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
                read.collect::<Result<Vec<(Uuid, bool)>, sqlx::Error>>()
            })
            .await?;
        Ok(UnusedPage::of(&rows, limit))
    }

    async fn erase_unused(
        &self,
        user: Uuid,
        since: UnusedSince,
        event: NewEvent,
    ) -> Result<bool, Unavailable> {
        const LOCK: &str = concat!(
            "SELECT true FROM users u WHERE u.id = $1 AND ",
            is_unused!(),
            " FOR UPDATE"
        );
        let lock = sqlx::query(LOCK)
            .bind(user)
            .bind(to_micros(since.idle))
            .bind(to_micros(since.opened));
        let erased = self.erase_locked(lock, user, &event).await?;
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
