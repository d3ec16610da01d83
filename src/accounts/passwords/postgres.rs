//! Passwords in PostgreSQL.

use async_trait::async_trait;
use sqlx::{
    Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use uuid::Uuid;

use super::{Credentials, HashCost, Login, PasswordChange, PasswordHash, PasswordStore};
use crate::{
    accounts::users::row::postgres::{AFTER_USER, user, user_columns},
    database::{PostgresLink, to_micros},
    events::postgres::{insert_event, insert_notice, notice_parameter, parameter},
    unavailable::Unavailable,
};

/// Passwords in PostgreSQL.
#[derive(Debug)]
pub struct PostgresPasswords(PostgresLink);

impl PostgresPasswords {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl PasswordStore for PostgresPasswords {
    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, Unavailable> {
        const BY_EMAIL: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL, u.session_epoch FROM users u WHERE u.email_key = $1"
        );
        const BY_PHONE: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL, u.session_epoch FROM users u WHERE u.phone = $1 AND u.phone_verified"
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
            "u.password_hash, u.locked_at IS NOT NULL, u.session_epoch FROM users u WHERE u.id = $1"
        );
        self.find(sqlx::query(BY_ID).bind(user)).await
    }

    async fn change(&self, change: PasswordChange) -> Result<bool, Unavailable> {
        const SQL: &str = concat!(
            "WITH changed AS ( \
               UPDATE users SET password_hash = $3, hash_cost = NULL, session_epoch = session_epoch + 1, sessions_ended_at = $7 \
               WHERE id = $1 AND session_epoch = $2 AND locked_at IS NULL \
                 AND EXISTS (SELECT FROM sessions WHERE id = $4 AND user_id = $1 AND epoch = $2 AND revoked_at IS NULL) \
               RETURNING * \
             ), kept AS ( \
               UPDATE sessions s SET epoch = changed.session_epoch FROM changed WHERE s.id = $4 AND s.revoked_at IS NULL \
             ), noted AS (",
            insert_event!("$5", "changed.id", "changed"),
            "), told AS (",
            insert_notice!(
                "$6",
                "changed.id",
                (
                    "CASE WHEN changed.email_verified THEN 'email' ELSE 'sms' END",
                    "CASE WHEN changed.email_verified THEN changed.email ELSE changed.phone END",
                    "CASE WHEN changed.email_verified THEN changed.email_key END"
                ),
                "changed WHERE changed.email_verified OR changed.phone_verified"
            ),
            " RETURNING id) SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM told)"
        );
        let query = sqlx::query_as(SQL)
            .bind(change.user)
            .bind(change.epoch)
            .bind(change.password.expose())
            .bind(change.keep)
            .bind(parameter(&change.event))
            .bind(notice_parameter(&change.notice))
            .bind(to_micros(change.event.at));
        let (changed, told): (i64, i64) = self
            .0
            .bounded(async { query.fetch_one(self.0.lend().await?.session()).await })
            .await?;
        if changed > 0 {
            change.event.count();
        }
        if told > 0 {
            change.notice.count();
        }
        Ok(changed > 0)
    }

    async fn foreign_costs(&self) -> Result<Vec<HashCost>, Unavailable> {
        // From one cost to the next in the index, rather than over all rows.
        const SQL: &str = "WITH RECURSIVE costs AS ( \
             SELECT min(hash_cost) AS cost FROM users WHERE hash_cost IS NOT NULL \
             UNION ALL \
             SELECT (SELECT min(hash_cost) FROM users WHERE hash_cost > costs.cost) FROM costs WHERE costs.cost IS NOT NULL \
           ) SELECT cost FROM costs WHERE cost IS NOT NULL LIMIT 1000";
        let query = sqlx::query_scalar::<_, String>(SQL);
        let costs = self
            .0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await?;
        Ok(costs.iter().filter_map(|cost| cost.parse().ok()).collect())
    }

    async fn replace_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable> {
        const SQL: &str =
            "UPDATE users SET password_hash = $3, hash_cost = NULL WHERE id = $1 AND password_hash = $2";
        let query = sqlx::query(SQL)
            .bind(user)
            .bind(old.expose().to_owned())
            .bind(new.expose().to_owned());
        self.0.execute(query).await.map(drop)
    }
}

impl PostgresPasswords {
    async fn find(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Option<Credentials>, Unavailable> {
        let query = query.try_map(|row: PgRow| {
            Ok(Credentials {
                user: user(&row)?,
                password: row
                    .try_get::<Option<_>, _>(AFTER_USER)?
                    .map(PasswordHash::from_stored),
                locked: row.try_get(AFTER_USER + 1)?,
                session_epoch: row.try_get(AFTER_USER + 2)?,
            })
        });
        self.0
            .bounded(async { query.fetch_optional(self.0.lend().await?.session()).await })
            .await
    }
}
