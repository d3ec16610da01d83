//! Users in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;

use super::{NewUser, RegisterError, User, UserStore};
use crate::{
    accounts::sessions::{NewSession, sqlite::insert},
    database::{SqliteLink, to_micros},
    events,
};

/// Users in an SQLite file.
#[derive(Debug)]
pub struct SqliteUsers(SqliteLink);

impl SqliteUsers {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl UserStore for SqliteUsers {
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError> {
        const USER: &str = "INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, \
               created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (email_key) DO NOTHING";
        let made = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let made = sqlx::query(USER)
                .bind(user.id.hyphenated())
                .bind(user.email.expose())
                .bind(user.email.key())
                .bind(user.phone.expose())
                .bind(user.first_name.expose())
                .bind(user.last_name.expose())
                .bind(user.password.expose())
                .bind(user.now.timestamp_micros())
                .execute(&mut *transaction)
                .await?;
            if made.rows_affected() == 0 {
                return Ok(false);
            }
            insert(&session).execute(&mut *transaction).await?;
            for event in [&user.event, &session.event] {
                let note = events::sqlite::event(event, Some(user.id));
                note.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(true)
        });
        if made.await? {
            user.event.count();
            session.event.count();
            let now = to_micros(user.now);
            Ok(user.registered(now))
        } else {
            Err(RegisterError::EmailTaken)
        }
    }
}
