//! Openings in PostgreSQL. One statement decides each change.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use uuid::Uuid;

use super::{Opening, OpeningStore, PasswordReset};
use crate::{
    accounts::{
        passwords::Login,
        users::row::postgres::{AFTER_USER, user, user_columns},
    },
    channel::Channel,
    database::{PostgresLink, to_micros},
    email::EmailAddress,
    events::{
        NewEvent,
        postgres::{insert_event, insert_notice, notice_parameter, parameter},
    },
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

/// Openings in PostgreSQL.
#[derive(Debug)]
pub struct PostgresOpenings(PostgresLink);

impl PostgresOpenings {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }

    async fn find(
        &self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
    ) -> Result<Option<Opening>, Unavailable> {
        let query = query.try_map(|row: PgRow| {
            Ok(Opening {
                user: user(&row)?,
                session_epoch: row.try_get(AFTER_USER)?,
                is_locked: row.try_get(AFTER_USER + 1)?,
                phone_owned_at: row.try_get(AFTER_USER + 2)?,
                email_owned_at: row.try_get(AFTER_USER + 3)?,
                sessions_ended_at: row.try_get(AFTER_USER + 4)?,
            })
        });
        self.0
            .bounded(async { query.fetch_optional(self.0.lend().await?.session()).await })
            .await
    }
}

#[async_trait]
impl OpeningStore for PostgresOpenings {
    async fn opened_by(&self, address: &Login) -> Result<Option<Opening>, Unavailable> {
        const BY_EMAIL: &str = opening!("u.email_key = $1");
        const BY_PHONE: &str = opening!("u.phone = $1 AND u.phone_verified");
        self.find(match address {
            Login::Email(email) => sqlx::query(BY_EMAIL).bind(email.key()),
            Login::Phone(phone) => sqlx::query(BY_PHONE).bind(phone.expose()),
        })
        .await
    }

    async fn opening_of(&self, user: Uuid) -> Result<Option<Opening>, Unavailable> {
        const BY_ID: &str = opening!("u.id = $1");
        self.find(sqlx::query(BY_ID).bind(user)).await
    }

    async fn note_owned(
        &self,
        user: Uuid,
        address: &Login,
        now: DateTime<Utc>,
        event: Option<&NewEvent>,
    ) -> Result<bool, Unavailable> {
        const EMAIL: &str = concat!(
            "WITH owned AS (UPDATE users SET email_owned_at = $3 WHERE id = $1 AND email_key = $2 AND email_verified \
               AND (email_owned_at IS NULL OR email_owned_at < $3) RETURNING id), noted AS (",
            insert_event!("$4", "owned.id", "owned WHERE $4::jsonb IS NOT NULL"),
            ") SELECT count(*) FROM owned"
        );
        const PHONE: &str = concat!(
            "WITH owned AS (UPDATE users SET phone_owned_at = $3 WHERE id = $1 AND phone = $2 AND phone_verified \
               AND (phone_owned_at IS NULL OR phone_owned_at < $3) RETURNING id), noted AS (",
            insert_event!("$4", "owned.id", "owned WHERE $4::jsonb IS NOT NULL"),
            ") SELECT count(*) FROM owned"
        );
        let query = match address {
            Login::Email(email) => sqlx::query_scalar(EMAIL).bind(user).bind(email.key()),
            Login::Phone(phone) => sqlx::query_scalar(PHONE).bind(user).bind(phone.expose()),
        };
        let query = query.bind(to_micros(now)).bind(event.map(parameter));
        let owned: i64 = self
            .0
            .bounded(async { query.fetch_one(self.0.lend().await?.session()).await })
            .await?;
        if let Some(event) = event.filter(|_| owned > 0) {
            event.count();
        }
        Ok(owned > 0)
    }

    async fn reset(&self, reset: &PasswordReset) -> Result<bool, Unavailable> {
        const SQL: &str = concat!(
            "WITH before AS ( \
               SELECT id, email, email_key, email_verified, phone, phone_verified FROM users \
               WHERE id = $1 AND locked_at IS NULL AND session_epoch = $2 AND phone = $3 AND phone_verified = $4 \
                 AND email_key IS NOT DISTINCT FROM $5 AND email_verified = $6 AND phone_owned_at IS NOT DISTINCT FROM $7 \
                 AND email_owned_at IS NOT DISTINCT FROM $8 FOR UPDATE \
             ), reset AS ( \
               UPDATE users u SET password_hash = $9, hash_cost = NULL, session_epoch = u.session_epoch + 1, password_reset_at = $10, \
                 sessions_ended_at = $10, updated_at = $10, \
                 email_verified = u.email_verified OR $11, \
                 email_owned_at = CASE WHEN $11 THEN $10 ELSE u.email_owned_at END, \
                 phone_owned_at = CASE WHEN $11 THEN u.phone_owned_at ELSE $10 END \
               FROM before WHERE u.id = before.id RETURNING u.id \
             ), noted AS (",
            insert_event!("$12", "reset.id", "reset"),
            "), by_mail AS (",
            insert_notice!(
                "$13",
                "before.id",
                ("'email'", "before.email", "before.email_key"),
                "before, reset WHERE before.email_verified"
            ),
            " RETURNING id), by_sms AS (",
            insert_notice!(
                "$14",
                "before.id",
                ("'sms'", "before.phone", "NULL"),
                "before, reset WHERE before.phone_verified"
            ),
            " RETURNING id) SELECT (SELECT count(*) FROM reset), (SELECT count(*) FROM by_mail), (SELECT count(*) FROM by_sms)"
        );
        let was = &reset.opening;
        let [by_mail, by_sms] = &reset.notices;
        let query = sqlx::query_as(SQL)
            .bind(was.user.id)
            .bind(was.session_epoch)
            .bind(was.user.phone.expose())
            .bind(was.user.phone_verified)
            .bind(was.user.email.as_ref().map(EmailAddress::key))
            .bind(was.user.email_verified)
            .bind(was.phone_owned_at)
            .bind(was.email_owned_at)
            .bind(reset.password.expose())
            .bind(to_micros(reset.event.at))
            .bind(reset.by == Channel::Email)
            .bind(parameter(&reset.event))
            .bind(notice_parameter(by_mail))
            .bind(notice_parameter(by_sms));
        let (made, mails, sms): (i64, i64, i64) = self
            .0
            .bounded(async { query.fetch_one(self.0.lend().await?.session()).await })
            .await?;
        if made > 0 {
            reset.event.count();
        }
        for (notice, _) in reset
            .notices
            .iter()
            .zip([mails, sms])
            .filter(|(_, told)| *told > 0)
        {
            notice.count();
        }
        Ok(made > 0)
    }
}
