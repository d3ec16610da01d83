//! Administrators in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    Administrator, AdministratorStore, Grant, Granted, Revoked, Standing,
    is_last::sqlite::is_last_administrator,
};
use crate::{
    accounts::users::row::sqlite::{AFTER_USER, user as user_of, user_columns},
    database::{SqliteLink, sqlite::time},
    events::{NewEvent, sqlite::event as note},
    tokens::Role,
    unavailable::Unavailable,
};

/// Administrators in an SQLite file.
#[derive(Debug)]
pub struct SqliteAdministrators(SqliteLink);

impl SqliteAdministrators {
    /// By these connections.
    pub fn new(link: &SqliteLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl AdministratorStore for SqliteAdministrators {
    async fn standing(&self, session: Uuid) -> Result<Option<Standing>, Unavailable> {
        const SQL: &str = "SELECT a.role, s.role, s.epoch, s.expires_at, u.password_reset_at, u.address_changed_at \
             FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN administrators a ON a.user_id = s.user_id \
             WHERE s.id = ?1";
        let query = sqlx::query(SQL)
            .bind(session.hyphenated())
            .try_map(|row: SqliteRow| {
                let role = |at: usize| {
                    Ok::<_, sqlx::Error>(row.try_get::<Option<&str>, _>(at)?.and_then(Role::from_name))
                };
                Ok(Standing {
                    role: role(0)?,
                    has_second_proof: role(1)?.is_some(),
                    epoch: row.try_get(2)?,
                    expires_at: time(row.try_get(3)?),
                    password_reset_at: row.try_get::<Option<i64>, _>(4)?.map(time),
                    address_changed_at: row.try_get::<Option<i64>, _>(5)?.map(time),
                })
            });
        self.0.bounded(query.fetch_optional(&self.0.readers)).await
    }

    async fn grant(&self, grant: &Grant) -> Result<Granted, Unavailable> {
        const FIND: &str = "SELECT email_verified FROM users WHERE id = ?1";
        const ROLE: &str = "SELECT role FROM administrators WHERE user_id = ?1";
        const GRANT: &str = "INSERT INTO administrators (user_id, role, granted_by, granted_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (user_id) DO UPDATE SET role = ?2, granted_by = ?3, granted_at = ?4";
        const SESSIONS: &str = "UPDATE sessions SET role = ?2 WHERE user_id = ?1 AND role IS NOT NULL";
        let user = grant.user.hyphenated();
        let done = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            let is_last = is_last_administrator(grant.user)
                .fetch_one(&mut *transaction)
                .await?;
            let found = sqlx::query_scalar(FIND).bind(user);
            match found.fetch_optional(&mut *transaction).await? {
                None => return Ok(Granted::NoAccount),
                Some(false) => return Ok(Granted::EmailUnproven),
                Some(true) => {}
            }
            let role = sqlx::query_scalar(ROLE).bind(user);
            let role: Option<String> = role.fetch_optional(&mut *transaction).await?;
            if role.as_deref() == Some(grant.role.name()) {
                return Ok(Granted::Unchanged);
            }
            if is_last {
                return Ok(Granted::LastAdministrator);
            }
            let made = sqlx::query(GRANT)
                .bind(user)
                .bind(grant.role.name())
                .bind(grant.by.map(Uuid::hyphenated))
                .bind(grant.event.at.timestamp_micros());
            made.execute(&mut *transaction).await?;
            let sessions = sqlx::query(SESSIONS).bind(user).bind(grant.role.name());
            sessions.execute(&mut *transaction).await?;
            note(&grant.event, Some(grant.user))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(Granted::Granted)
        });
        let done = done.await?;
        if done == Granted::Granted {
            grant.event.count();
        }
        Ok(done)
    }

    async fn revoke(&self, user: Uuid, event: NewEvent) -> Result<Revoked, Unavailable> {
        const REVOKE: &str = "DELETE FROM administrators WHERE user_id = ?1";
        const SESSIONS: &str = "UPDATE sessions SET role = NULL WHERE user_id = ?1 AND role IS NOT NULL";
        let done = self.0.bounded(async {
            let mut transaction = self.0.writer.begin_with("BEGIN IMMEDIATE").await?;
            if is_last_administrator(user).fetch_one(&mut *transaction).await? {
                return Ok(Revoked::LastAdministrator);
            }
            let revoked = sqlx::query(REVOKE).bind(user.hyphenated());
            if revoked.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(Revoked::Unchanged);
            }
            let sessions = sqlx::query(SESSIONS).bind(user.hyphenated());
            sessions.execute(&mut *transaction).await?;
            note(&event, Some(user)).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Revoked::Revoked)
        });
        let done = done.await?;
        if done == Revoked::Revoked {
            event.count();
        }
        Ok(done)
    }

    async fn list(&self) -> Result<Vec<Administrator>, Unavailable> {
        const SQL: &str = concat!(
            user_columns!(),
            "u.locked_at IS NOT NULL, a.role, a.granted_by, a.granted_at FROM administrators a JOIN users u ON u.id = a.user_id \
             ORDER BY a.role, u.email_key"
        );
        let query = sqlx::query(SQL).try_map(|row: SqliteRow| {
            let role = Role::from_name(row.try_get(AFTER_USER + 1)?);
            let granted_by: Option<Hyphenated> = row.try_get(AFTER_USER + 2)?;
            let granted_at: DateTime<Utc> = time(row.try_get(AFTER_USER + 3)?);
            let (user, is_locked) = (user_of(&row)?, row.try_get(AFTER_USER)?);
            Ok(role.map(|role| Administrator {
                user,
                is_locked,
                role,
                granted_by: granted_by.map(Hyphenated::into_uuid),
                granted_at,
            }))
        });
        let rows = self.0.bounded(query.fetch_all(&self.0.readers)).await?;
        Ok(rows.into_iter().flatten().collect())
    }
}
