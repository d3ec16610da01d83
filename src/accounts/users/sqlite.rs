//! Users in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    EmailLoss, Locked, NewUser, PersonName, ProfileChange, RegisterError, User, UserStore,
    row::sqlite::{user as user_of, user_columns},
};
use crate::{
    accounts::{
        administrators::is_last::sqlite::is_last_administrator,
        sessions::{NewSession, sqlite::insert},
    },
    channel::Channel,
    database::{SqliteLink, sqlite::Query, to_micros},
    events::{
        NewEvent,
        sqlite::{event as note, notice},
    },
    unavailable::Unavailable,
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
        self.make(user, session, None).await
    }

    async fn register_proven(
        &self,
        user: NewUser,
        session: NewSession,
        loss: EmailLoss,
    ) -> Result<User, RegisterError> {
        self.make(user, session, Some(loss)).await
    }

    async fn change_profile(
        &self,
        user: Uuid,
        change: ProfileChange,
        event: NewEvent,
    ) -> Result<Option<User>, Unavailable> {
        const CHANGE: &str = "UPDATE users \
             SET first_name = coalesce(?2, first_name), last_name = coalesce(?3, last_name), \
               last_name_key = coalesce(?5, last_name_key), updated_at = ?4 WHERE id = ?1";
        const READ: &str = concat!(user_columns!(), "1 FROM users u WHERE u.id = ?1");
        let changed = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let query = sqlx::query(CHANGE)
                .bind(user.hyphenated())
                .bind(change.first_name.as_ref().map(|name| name.expose().to_owned()))
                .bind(change.last_name.as_ref().map(|name| name.expose().to_owned()))
                .bind(event.at.timestamp_micros())
                .bind(change.last_name.as_ref().map(PersonName::key));
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(None);
            }
            note(&event, Some(user)).execute(&mut *transaction).await?;
            let query = sqlx::query(READ)
                .bind(user.hyphenated())
                .try_map(|row: SqliteRow| user_of(&row));
            let changed = query.fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Some(changed))
        });
        let changed = changed.await?;
        if changed.is_some() {
            event.count();
        }
        Ok(changed)
    }

    async fn lock(&self, user: Uuid, event: NewEvent) -> Result<Locked, Unavailable> {
        const SQL: &str = "UPDATE users SET locked_at = ?2, session_epoch = session_epoch + 1, sessions_ended_at = ?2 \
             WHERE id = ?1 AND locked_at IS NULL";
        let done = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            if is_last_administrator(user).fetch_one(&mut *transaction).await? {
                return Ok(Locked::LastAdministrator);
            }
            let query = sqlx::query(SQL)
                .bind(user.hyphenated())
                .bind(event.at.timestamp_micros());
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(Locked::Unchanged);
            }
            note(&event, Some(user)).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Locked::Locked)
        });
        let done = done.await?;
        if done == Locked::Locked {
            event.count();
        }
        Ok(done)
    }

    async fn unlock(&self, user: Uuid, event: NewEvent) -> Result<bool, Unavailable> {
        const SQL: &str = "UPDATE users SET locked_at = NULL, session_epoch = session_epoch + 1, sessions_ended_at = ?2 \
             WHERE id = ?1 AND locked_at IS NOT NULL";
        self.noted(SQL, user, event).await
    }

    async fn confirm(&self, user: Uuid, channel: Channel, event: NewEvent) -> Result<bool, Unavailable> {
        const PHONE: &str = "UPDATE users SET phone_owned_at = ?2, updated_at = ?2 \
             WHERE id = ?1 AND phone_verified AND phone_owned_at IS NULL";
        const EMAIL: &str = "UPDATE users SET email_owned_at = ?2, updated_at = ?2 \
             WHERE id = ?1 AND email_verified AND email_owned_at IS NULL";
        let sql = match channel {
            Channel::Sms => PHONE,
            Channel::Email => EMAIL,
        };
        self.noted(sql, user, event).await
    }

    async fn end_sessions(&self, user: Uuid, event: NewEvent) -> Result<bool, Unavailable> {
        const SQL: &str =
            "UPDATE users SET session_epoch = session_epoch + 1, sessions_ended_at = ?2 WHERE id = ?1";
        self.noted(SQL, user, event).await
    }
}

impl SqliteUsers {
    /// Makes an account and opens its session. One whose address is proven (then there is a `loss`) takes it from
    /// whoever has it unverified.
    async fn make(
        &self,
        user: NewUser,
        session: NewSession,
        loss: Option<EmailLoss>,
    ) -> Result<User, RegisterError> {
        const LOSE: &str = "UPDATE users SET email = NULL, email_key = NULL, email_owned_at = NULL, updated_at = ?2 \
             WHERE email_key = ?1 AND NOT email_verified RETURNING id, phone, phone_verified";
        let made = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let mut took = None;
            if let Some(loss) = &loss {
                let lose = sqlx::query_as(LOSE)
                    .bind(user.email.key().to_owned())
                    .bind(user.now.timestamp_micros());
                let loser: Option<(Hyphenated, String, bool)> =
                    lose.fetch_optional(&mut *transaction).await?;
                if let Some((loser, phone, is_proven)) = loser {
                    let loser = loser.into_uuid();
                    note(&loss.event, Some(loser)).execute(&mut *transaction).await?;
                    let told_at = EmailLoss::told_at(phone, is_proven);
                    if let Some(address) = &told_at {
                        notice(&loss.notice, loser, address)
                            .execute(&mut *transaction)
                            .await?;
                    }
                    took = Some(told_at.is_some());
                }
            }
            let made = insert_user(&user, loss.is_some())
                .execute(&mut *transaction)
                .await?;
            if made.rows_affected() == 0 {
                return Ok(None);
            }
            insert(&session).execute(&mut *transaction).await?;
            for event in [&user.event, &session.event] {
                note(event, Some(user.id)).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(Some(took))
        });
        let took = made.await?.ok_or(RegisterError::EmailTaken)?;
        if let Some((loss, is_told)) = loss.as_ref().zip(took) {
            loss.count(is_told);
        }
        user.event.count();
        session.event.count();
        let now = to_micros(user.now);
        Ok(user.registered(now, loss.is_some()))
    }

    /// Runs a statement that ends the sessions of an account.
    async fn noted(&self, sql: &'static str, user: Uuid, event: NewEvent) -> Result<bool, Unavailable> {
        let changed = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let query = sqlx::query(sql)
                .bind(user.hyphenated())
                .bind(event.at.timestamp_micros());
            let changed = query.execute(&mut *transaction).await?.rows_affected() > 0;
            if changed {
                note(&event, Some(user)).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(changed)
        });
        let changed = changed.await?;
        if changed {
            event.count();
        }
        Ok(changed)
    }
}

fn insert_user(user: &NewUser, is_proven: bool) -> Query {
    const SQL: &str = "INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, \
           email_verified, email_owned_at, created_at, updated_at, last_name_key) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9, CASE WHEN ?9 THEN ?8 END, ?8, ?8, ?10) ON CONFLICT (email_key) DO NOTHING";
    sqlx::query(SQL)
        .bind(user.id.hyphenated())
        .bind(user.email.expose().to_owned())
        .bind(user.email.key().to_owned())
        .bind(user.phone.expose().to_owned())
        .bind(user.first_name.expose().to_owned())
        .bind(user.last_name.expose().to_owned())
        .bind(user.password.expose().to_owned())
        .bind(user.now.timestamp_micros())
        .bind(is_proven)
        .bind(user.last_name.key())
}
