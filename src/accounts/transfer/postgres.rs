//! Users on the way, in PostgreSQL.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Known, Probe, TransferStore, TransferredUser};
use crate::{
    accounts::{
        passwords::{Argon2Cost, PasswordHash},
        users::PersonName,
    },
    database::{PostgresLink, to_micros},
    email::EmailAddress,
    events::{
        NewEvent,
        postgres::{insert_events, parameters},
    },
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// Users on the way, in PostgreSQL.
#[derive(Debug)]
pub struct PostgresTransfer(PostgresLink);

impl PostgresTransfer {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl TransferStore for PostgresTransfer {
    async fn known(&self, probe: Probe) -> Result<Known, Unavailable> {
        // Each by its own index.
        const SQL: &str = "SELECT id, email_key, NULL AS phone FROM users WHERE id = ANY($1) \
             UNION ALL SELECT id, email_key, NULL FROM users WHERE email_key = ANY($2) \
             UNION ALL SELECT id, NULL, phone FROM users WHERE phone = ANY($3) AND phone_verified";
        let query = sqlx::query(SQL)
            .bind(probe.ids)
            .bind(probe.email_keys)
            .bind(probe.verified_phones);
        self.0
            .bounded(async {
                let rows = query.fetch_all(self.0.lend().await?.session()).await?;
                let mut known = Known::default();
                for row in rows {
                    known.add(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
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
        const SQL: &str = concat!(
            "WITH made AS ( \
               INSERT INTO users (id, email, email_key, phone, first_name, last_name, last_name_key, password_hash, hash_cost, \
                 phone_verified, email_verified, phone_owned_at, email_owned_at, phone_claimed_at, imported_at, locked_at, created_at, \
                 updated_at) \
               SELECT id, email, email_key, phone, first_name, last_name, last_name_key, password_hash, hash_cost, \
                 phone_verified, email_verified, phone_owned_at, email_owned_at, phone_claimed_at, $3, locked_at, created_at, $3 \
               FROM jsonb_populate_recordset(NULL::users, $1::jsonb) \
               ON CONFLICT DO NOTHING RETURNING id \
             ), noted AS (",
            insert_events!("$2", "made"),
            ") SELECT id FROM made"
        );
        let now = to_micros(now);
        let rows = Value::from_iter(users.iter().map(|(user, _)| row(user, today, now)));
        let events = users.iter().map(|(user, event)| (user.id, event));
        let query = sqlx::query_scalar(SQL)
            .bind(rows.to_string())
            .bind(parameters(events))
            .bind(now);
        let made: Vec<Uuid> = self
            .0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await?;
        Ok(made.into_iter().collect())
    }

    async fn page(&self, after: Option<Uuid>, most: u32) -> Result<Vec<TransferredUser>, Unavailable> {
        const SQL: &str = "SELECT id, email, email_key, phone, first_name, last_name, password_hash, phone_verified, \
             email_verified, locked_at IS NOT NULL, created_at, phone_owned_at, email_owned_at, \
             NOT phone_verified AND coalesce(phone_claimed_at <= to_timestamp(0), false) \
             FROM users WHERE id > $1 ORDER BY id LIMIT $2";
        let query = sqlx::query(SQL)
            .bind(after.unwrap_or(Uuid::nil()))
            .bind(i64::from(most))
            .try_map(|row: PgRow| {
                let (email, key): (Option<String>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
                Ok(TransferredUser {
                    id: row.try_get(0)?,
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
                    created_at: row.try_get(10)?,
                    phone_owned_at: row.try_get(11)?,
                    email_owned_at: row.try_get(12)?,
                    phone_lost: row.try_get(13)?,
                })
            });
        self.0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await
    }
}

/// A user as a record of the table.
fn row(user: &TransferredUser, today: Argon2Cost, now: DateTime<Utc>) -> Value {
    json!({
        "id": user.id,
        "email": user.email.as_ref().map(EmailAddress::expose),
        "email_key": user.email.as_ref().map(EmailAddress::key),
        "phone": user.phone.expose(),
        "first_name": user.first_name.expose(),
        "last_name": user.last_name.expose(),
        "last_name_key": user.last_name.key(),
        "password_hash": user.password.as_ref().map(PasswordHash::expose),
        "hash_cost": user.foreign_cost(today).map(|cost| cost.to_string()),
        "phone_verified": user.phone_verified,
        "email_verified": user.email_verified,
        "phone_owned_at": user.phone_owned_at.map(to_micros),
        "email_owned_at": user.email_owned_at.map(to_micros),
        "phone_claimed_at": to_micros(user.phone_claimed_at(now)),
        "locked_at": user.locked.then_some(now),
        "created_at": to_micros(user.created_at),
    })
}
