//! Users on the way, in SQLite.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{Known, Probe, TransferStore, TransferredUser};
use crate::{
    accounts::{
        passwords::{Argon2Cost, PasswordHash},
        users::PersonName,
    },
    database::{
        SqliteLink,
        sqlite::{json, time},
    },
    email::EmailAddress,
    events::{self, NewEvent},
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// Users on the way, in an SQLite file.
#[derive(Debug)]
pub struct SqliteTransfer(SqliteLink);

impl SqliteTransfer {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl TransferStore for SqliteTransfer {
    async fn known(&self, probe: Probe) -> Result<Known, Unavailable> {
        const SQL: &str = "SELECT id, email_key, NULL AS phone FROM users WHERE id IN (SELECT value FROM json_each(?1)) \
             UNION ALL SELECT id, email_key, NULL FROM users WHERE email_key IN (SELECT value FROM json_each(?2)) \
             UNION ALL SELECT id, NULL, phone FROM users \
               WHERE phone IN (SELECT value FROM json_each(?3)) AND phone_verified";
        let query = sqlx::query(SQL)
            .bind(json(probe.ids.into_iter().map(|id| id.to_string())))
            .bind(json(probe.email_keys.into_iter()))
            .bind(json(probe.verified_phones.into_iter()));
        self.0
            .bounded(async {
                let mut known = Known::default();
                for row in query.fetch_all(&self.0.readers).await? {
                    let id = row.try_get::<Hyphenated, _>(0)?.into_uuid();
                    known.add(id, row.try_get(1)?, row.try_get(2)?);
                }
                Ok(known)
            })
            .await
    }

    async fn insert(
        &self,
        users: &[(TransferredUser, NewEvent)],
        today: Argon2Cost,
        now: DateTime<Utc>,
    ) -> Result<HashSet<Uuid>, Unavailable> {
        const SQL: &str = "INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, \
               hash_cost, phone_verified, email_verified, locked_at, created_at, phone_claimed_at, imported_at, updated_at, \
               last_name_key, phone_owned_at, email_owned_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?17, ?13, ?13, ?14, ?15, ?16) ON CONFLICT DO NOTHING";
        let imported_at = now.timestamp_micros();
        let made = self.0.bounded(async {
            let mut made = HashSet::new();
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            for (user, event) in users {
                let inserted = sqlx::query(SQL)
                    .bind(user.id.hyphenated())
                    .bind(user.email.as_ref().map(|email| email.expose().to_owned()))
                    .bind(user.email.as_ref().map(|email| email.key().to_owned()))
                    .bind(user.phone.expose())
                    .bind(user.first_name.expose())
                    .bind(user.last_name.expose())
                    .bind(user.password.as_ref().map(|hash| hash.expose().to_owned()))
                    .bind(user.foreign_cost(today).map(|cost| cost.to_string()))
                    .bind(user.phone_verified)
                    .bind(user.email_verified)
                    .bind(user.locked.then_some(imported_at))
                    .bind(user.created_at.timestamp_micros())
                    .bind(imported_at)
                    .bind(user.last_name.key())
                    .bind(user.phone_owned_at.map(|at| at.timestamp_micros()))
                    .bind(user.email_owned_at.map(|at| at.timestamp_micros()))
                    .bind(user.phone_claimed_at(now).timestamp_micros())
                    .execute(&mut *transaction)
                    .await?;
                if inserted.rows_affected() > 0 {
                    let note = events::sqlite::event(event, Some(user.id));
                    note.execute(&mut *transaction).await?;
                    made.insert(user.id);
                }
            }
            transaction.commit().await?;
            Ok(made)
        });
        made.await
    }

    async fn page(&self, after: Option<Uuid>, most: u32) -> Result<Vec<TransferredUser>, Unavailable> {
        const SQL: &str = "SELECT id, email, email_key, phone, first_name, last_name, password_hash, phone_verified, \
             email_verified, locked_at IS NOT NULL, created_at, phone_owned_at, email_owned_at, \
             NOT phone_verified AND coalesce(phone_claimed_at <= 0, 0) \
             FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";
        let query = sqlx::query(SQL)
            .bind(after.unwrap_or(Uuid::nil()).hyphenated())
            .bind(i64::from(most))
            .try_map(|row: SqliteRow| {
                let (email, key): (Option<String>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
                Ok(TransferredUser {
                    id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
                    email: email
                        .zip(key)
                        .map(|(email, key)| EmailAddress::from_stored(email, key)),
                    phone: PhoneNumber::from_stored(row.try_get(3)?),
                    first_name: PersonName::from_stored(row.try_get(4)?),
                    last_name: PersonName::from_stored(row.try_get(5)?),
                    password: row.try_get::<Option<_>, _>(6)?.map(PasswordHash::from_stored),
                    phone_verified: row.try_get(7)?,
                    email_verified: row.try_get(8)?,
                    locked: row.try_get(9)?,
                    created_at: time(row.try_get(10)?),
                    phone_owned_at: row.try_get::<Option<i64>, _>(11)?.map(time),
                    email_owned_at: row.try_get::<Option<i64>, _>(12)?.map(time),
                    phone_lost: row.try_get(13)?,
                })
            });
        self.0.bounded(query.fetch_all(&self.0.readers)).await
    }
}
