//! Openings in SQLite. The statements are those of `postgres.rs`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    Row, Sqlite, Transaction,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use uuid::Uuid;

use super::{Opening, OpeningStore, PasswordReset};
use crate::{
    accounts::{
        passwords::Login,
        users::row::sqlite::{AFTER_USER, user, user_columns},
    },
    channel::Channel,
    database::{SqliteLink, sqlite::time},
    email::EmailAddress,
    events::{self, NewEvent, NoticeAddress},
    unavailable::Unavailable,
};

macro_rules! opening {
    ($condition:literal) => {
        concat!(
            user_columns!(),
            "u.session_epoch, u.locked_at IS NOT NULL, u.phone_owned_at, u.email_owned_at, \
             u.sessions_ended_at FROM users u WHERE ",
            $condition
        )
    };
}

/// Openings in an SQLite file.
#[derive(Debug)]
pub struct SqliteOpenings(SqliteLink);

impl SqliteOpenings {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }

    async fn find(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<Option<Opening>, Unavailable> {
        let query = query.try_map(|row: SqliteRow| {
            Ok(Opening {
                user: user(&row)?,
                session_epoch: row.try_get(AFTER_USER)?,
                is_locked: row.try_get(AFTER_USER + 1)?,
                phone_owned_at: row.try_get::<Option<i64>, _>(AFTER_USER + 2)?.map(time),
                email_owned_at: row.try_get::<Option<i64>, _>(AFTER_USER + 3)?.map(time),
                sessions_ended_at: row.try_get::<Option<i64>, _>(AFTER_USER + 4)?.map(time),
            })
        });
        self.0.bounded(query.fetch_optional(&self.0.readers)).await
    }
}

#[async_trait]
impl OpeningStore for SqliteOpenings {
    async fn opened_by(&self, address: &Login) -> Result<Option<Opening>, Unavailable> {
        const BY_EMAIL: &str = opening!("u.email_key = ?1");
        const BY_PHONE: &str = opening!("u.phone = ?1 AND u.phone_verified");
        self.find(match address {
            Login::Email(email) => sqlx::query(BY_EMAIL).bind(email.key().to_owned()),
            Login::Phone(phone) => sqlx::query(BY_PHONE).bind(phone.expose().to_owned()),
        })
        .await
    }

    async fn opening_of(&self, user: Uuid) -> Result<Option<Opening>, Unavailable> {
        const BY_ID: &str = opening!("u.id = ?1");
        self.find(sqlx::query(BY_ID).bind(user.hyphenated())).await
    }

    async fn note_owned(
        &self,
        user: Uuid,
        address: &Login,
        now: DateTime<Utc>,
        event: Option<&NewEvent>,
    ) -> Result<bool, Unavailable> {
        const EMAIL: &str = "UPDATE users SET email_owned_at = ?3 WHERE id = ?1 AND email_key = ?2 AND email_verified \
             AND (email_owned_at IS NULL OR email_owned_at < ?3)";
        const PHONE: &str = "UPDATE users SET phone_owned_at = ?3 WHERE id = ?1 AND phone = ?2 AND phone_verified \
             AND (phone_owned_at IS NULL OR phone_owned_at < ?3)";
        let owned = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let (sql, value) = match address {
                Login::Email(email) => (EMAIL, email.key()),
                Login::Phone(phone) => (PHONE, phone.expose()),
            };
            let query = sqlx::query(sql)
                .bind(user.hyphenated())
                .bind(value.to_owned())
                .bind(now.timestamp_micros());
            let owned = query.execute(&mut *transaction).await?.rows_affected() > 0;
            if let Some(event) = event.filter(|_| owned) {
                let note = events::sqlite::event(event, Some(user));
                note.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(owned)
        });
        let owned = owned.await?;
        if let Some(event) = event.filter(|_| owned) {
            event.count();
        }
        Ok(owned)
    }

    async fn reset(&self, reset: &PasswordReset) -> Result<bool, Unavailable> {
        let made = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let made = set(&mut transaction, reset).await?;
            if made {
                note(&mut transaction, reset).await?;
            }
            transaction.commit().await?;
            Ok(made)
        });
        let made = made.await?;
        if made {
            reset.event.count();
            let owner = &reset.opening.user;
            let told = reset
                .notices
                .iter()
                .zip([owner.email_verified, owner.phone_verified]);
            for (notice, _) in told.filter(|(_, told)| *told) {
                notice.count();
            }
        }
        Ok(made)
    }
}

async fn set(transaction: &mut Transaction<'_, Sqlite>, reset: &PasswordReset) -> Result<bool, sqlx::Error> {
    const SQL: &str = "UPDATE users SET password_hash = ?9, hash_cost = NULL, session_epoch = session_epoch + 1, \
           password_reset_at = ?10, sessions_ended_at = ?10, \
           updated_at = ?10, email_verified = email_verified OR ?11, \
           email_owned_at = CASE WHEN ?11 THEN ?10 ELSE email_owned_at END, \
           phone_owned_at = CASE WHEN ?11 THEN phone_owned_at ELSE ?10 END \
         WHERE id = ?1 AND locked_at IS NULL AND session_epoch = ?2 AND phone = ?3 AND phone_verified = ?4 \
           AND email_key IS ?5 AND email_verified = ?6 AND phone_owned_at IS ?7 AND email_owned_at IS ?8";
    let was = &reset.opening;
    let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
    let query = sqlx::query(SQL)
        .bind(was.user.id.hyphenated())
        .bind(was.session_epoch)
        .bind(was.user.phone.expose())
        .bind(was.user.phone_verified)
        .bind(was.user.email.as_ref().map(EmailAddress::key))
        .bind(was.user.email_verified)
        .bind(micros(was.phone_owned_at))
        .bind(micros(was.email_owned_at))
        .bind(reset.password.expose())
        .bind(reset.event.at.timestamp_micros())
        .bind(reset.by == Channel::Email);
    Ok(query.execute(&mut **transaction).await?.rows_affected() > 0)
}

/// The event, and the notices to what was proven before.
async fn note(transaction: &mut Transaction<'_, Sqlite>, reset: &PasswordReset) -> Result<(), sqlx::Error> {
    let owner = &reset.opening.user;
    let event = events::sqlite::event(&reset.event, Some(owner.id));
    event.execute(&mut **transaction).await?;
    let [by_mail, by_sms] = &reset.notices;
    let email = owner.email.clone().filter(|_| owner.email_verified);
    let email = email.map(|email| (by_mail, NoticeAddress::Email(email)));
    let phone = owner
        .phone_verified
        .then(|| (by_sms, NoticeAddress::Phone(owner.phone.clone())));
    for (notice, address) in email.into_iter().chain(phone) {
        let notice = events::sqlite::notice(notice, owner.id, &address);
        notice.execute(&mut **transaction).await?;
    }
    Ok(())
}
