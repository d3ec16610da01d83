//! Passwords in SQLite. The statements are those of `postgres.rs`.

use async_trait::async_trait;
use sqlx::{
    Row, Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use super::{Credentials, HashCost, Login, PasswordChange, PasswordHash, PasswordStore};
use crate::{
    accounts::users::row::sqlite::{AFTER_USER, user, user_columns},
    database::SqliteLink,
    events::{
        NoticeAddress,
        sqlite::{event as note, notice},
    },
    unavailable::Unavailable,
};

/// Passwords in an SQLite file.
#[derive(Debug)]
pub struct SqlitePasswords(SqliteLink);

impl SqlitePasswords {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl PasswordStore for SqlitePasswords {
    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, Unavailable> {
        const BY_EMAIL: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL, u.session_epoch FROM users u WHERE u.email_key = ?1"
        );
        const BY_PHONE: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL, u.session_epoch FROM users u WHERE u.phone = ?1 AND u.phone_verified"
        );
        let query = match login {
            Login::Email(email) => sqlx::query(BY_EMAIL).bind(email.key()),
            Login::Phone(phone) => sqlx::query(BY_PHONE).bind(phone.expose()),
        };
        self.find(query).await
    }

    async fn credentials_of(&self, user: Uuid) -> Result<Option<Credentials>, Unavailable> {
        const BY_ID: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL, u.session_epoch FROM users u WHERE u.id = ?1"
        );
        self.find(sqlx::query(BY_ID).bind(user.hyphenated())).await
    }

    async fn change(&self, change: PasswordChange) -> Result<bool, Unavailable> {
        const CHANGE: &str = "UPDATE users SET password_hash = ?3, hash_cost = NULL, session_epoch = session_epoch + 1, \
               sessions_ended_at = ?5 \
             WHERE id = ?1 AND session_epoch = ?2 AND locked_at IS NULL \
               AND EXISTS (SELECT 1 FROM sessions WHERE id = ?4 AND user_id = ?1 AND epoch = ?2 AND revoked_at IS NULL)";
        const KEEP: &str = "UPDATE sessions SET epoch = ?2 + 1 WHERE id = ?1";
        const READ: &str = concat!(user_columns!(), "1 FROM users u WHERE u.id = ?1");
        let changed = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let query = sqlx::query(CHANGE)
                .bind(change.user.hyphenated())
                .bind(change.epoch)
                .bind(change.password.expose().to_owned())
                .bind(change.keep.hyphenated())
                .bind(change.event.at.timestamp_micros());
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok((false, false));
            }
            let query = sqlx::query(KEEP)
                .bind(change.keep.hyphenated())
                .bind(change.epoch);
            query.execute(&mut *transaction).await?;
            note(&change.event, Some(change.user))
                .execute(&mut *transaction)
                .await?;
            let query = sqlx::query(READ)
                .bind(change.user.hyphenated())
                .try_map(|row: SqliteRow| user(&row));
            let owner = query.fetch_one(&mut *transaction).await?;
            let address = match owner {
                owner if owner.email_verified => owner.email.map(NoticeAddress::Email),
                owner if owner.phone_verified => Some(NoticeAddress::Phone(owner.phone)),
                _ => None,
            };
            if let Some(address) = &address {
                notice(&change.notice, change.user, address)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok((true, address.is_some()))
        });
        let (changed, told) = changed.await?;
        if changed {
            change.event.count();
        }
        if told {
            change.notice.count();
        }
        Ok(changed)
    }

    async fn foreign_costs(&self) -> Result<Vec<HashCost>, Unavailable> {
        // From one cost to the next in the index, rather than over all rows.
        const SQL: &str = "WITH RECURSIVE costs AS ( \
             SELECT min(hash_cost) AS cost FROM users WHERE hash_cost IS NOT NULL \
             UNION ALL \
             SELECT (SELECT min(hash_cost) FROM users WHERE hash_cost > costs.cost) FROM costs WHERE costs.cost IS NOT NULL \
           ) SELECT cost FROM costs WHERE cost IS NOT NULL LIMIT 1000";
        let query = sqlx::query_scalar::<_, String>(SQL);
        let costs = self.0.bounded(query.fetch_all(&self.0.readers)).await?;
        Ok(costs.iter().filter_map(|cost| cost.parse().ok()).collect())
    }

    async fn replace_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable> {
        const SQL: &str =
            "UPDATE users SET password_hash = ?3, hash_cost = NULL WHERE id = ?1 AND password_hash = ?2";
        let query = sqlx::query(SQL)
            .bind(user.hyphenated())
            .bind(old.expose().to_owned())
            .bind(new.expose().to_owned());
        self.0.execute(query).await.map(drop)
    }
}

impl SqlitePasswords {
    async fn find(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
    ) -> Result<Option<Credentials>, Unavailable> {
        let query = query.try_map(|row: SqliteRow| {
            Ok(Credentials {
                user: user(&row)?,
                password: row
                    .try_get::<Option<_>, _>(AFTER_USER)?
                    .map(PasswordHash::from_stored),
                locked: row.try_get(AFTER_USER + 1)?,
                session_epoch: row.try_get(AFTER_USER + 2)?,
            })
        });
        self.0.bounded(query.fetch_optional(&self.0.readers)).await
    }
}
