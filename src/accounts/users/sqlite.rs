//! Users in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;
use sqlx::{Row, sqlite::SqliteRow};
use uuid::fmt::Hyphenated;

use super::{NewUser, PersonName, RegisterError, User, UserStore};
use crate::{
    accounts::sessions::{NewSession, sqlite::insert},
    database::{SqliteLink, sqlite::time, to_micros},
    email::EmailAddress,
    events,
    phone::PhoneNumber,
};

/// Begins a statement whose rows [`user`] reads.
macro_rules! user_columns {
    () => {
        "SELECT u.id, u.email, u.email_key, u.phone, u.first_name, u.last_name, u.phone_verified, \
         u.email_verified, u.created_at, u.updated_at, "
    };
}
pub(in crate::accounts) use user_columns;

/// The first column after those of `user_columns!`.
pub(in crate::accounts) const AFTER_USER: usize = 10;

/// A user from a row that begins with the columns of `user_columns!`.
pub(in crate::accounts) fn user(row: &SqliteRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
        email: EmailAddress::from_stored(row.try_get(1)?, row.try_get(2)?),
        phone: PhoneNumber::from_stored(row.try_get(3)?),
        first_name: PersonName::from_stored(row.try_get(4)?),
        last_name: PersonName::from_stored(row.try_get(5)?),
        phone_verified: row.try_get(6)?,
        email_verified: row.try_get(7)?,
        created_at: time(row.try_get(8)?),
        updated_at: time(row.try_get(9)?),
    })
}

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
