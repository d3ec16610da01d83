//! Passwords in PostgreSQL.

use async_trait::async_trait;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{Credentials, Login, PasswordHash, PasswordStore};
use crate::{
    accounts::users::row::postgres::{AFTER_USER, user, user_columns},
    database::PostgresLink,
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

    async fn replace_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
        let query = sqlx::query(SQL)
            .bind(user)
            .bind(old.expose().to_owned())
            .bind(new.expose().to_owned());
        self.0.execute(query).await.map(drop)
    }
}
