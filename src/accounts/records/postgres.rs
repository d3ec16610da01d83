//! All that is kept about a user in PostgreSQL.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Erased, Erasure, RecordStore, Table,
    tables::{MAX_ROWS, TABLES},
};
use crate::{
    accounts::administrators::is_last::postgres::is_last_administrator, database::PostgresLink,
    events::postgres::event, unavailable::Unavailable,
};

/// All that is kept about a user in PostgreSQL.
#[derive(Debug)]
pub struct PostgresRecords(PostgresLink);

impl PostgresRecords {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }

    async fn rows(&self, table: &Table, user: Uuid) -> Result<Vec<Value>, Unavailable> {
        let Table {
            name,
            whose,
            newest_by,
            ..
        } = table;
        // Nothing but the names of tables and columns goes into it.
        let sql = format!(
            "SELECT to_jsonb(t)::text FROM (SELECT * FROM {name} WHERE {whose} = $1 ORDER BY {newest_by} DESC LIMIT {MAX_ROWS}) AS t"
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
        // In this order: each has a snapshot of its own. Whoever ends a session holds its row until the event of that is
        // written, so once the sessions are gone no further event comes.
        const ERASE: [&str; 7] = [
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM users WHERE id = $1",
            "DELETE FROM notices WHERE user_id = $1",
            "UPDATE events SET user_id = NULL, actor_id = NULL, network = NULL, reason = NULL WHERE user_id = $1",
            "UPDATE events SET actor_id = NULL, network = NULL WHERE actor = 'administrator' AND actor_id = $1",
            "UPDATE administrators SET granted_by = NULL WHERE granted_by = $1",
            "UPDATE verifications SET user_id = NULL WHERE user_id = $1",
        ];
        let erased = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            if is_last_administrator(&mut together, erasure.user).await? {
                return Ok(Erased::LastAdministrator);
            }
            let (epoch, session) = erasure.by.proof();
            let lock = sqlx::query(LOCK).bind(erasure.user).bind(epoch).bind(session);
            if lock.fetch_optional(together.session()).await?.is_none() {
                return Ok(Erased::Void);
            }
            for sql in ERASE {
                let query = sqlx::query(sql).bind(erasure.user);
                query.execute(together.session()).await?;
            }
            event(&erasure.event, None).execute(together.session()).await?;
            together.commit().await?;
            Ok(Erased::Erased)
        });
        let erased = erased.await?;
        if erased == Erased::Erased {
            erasure.event.count();
        }
        Ok(erased)
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
