//! Administrators in PostgreSQL.

use async_trait::async_trait;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Administrator, AdministratorStore, Grant, Granted, Revoked, Standing,
    is_last::postgres::is_last_administrator,
};
use crate::{
    accounts::users::row::postgres::{AFTER_USER, user as user_of, user_columns},
    database::{PostgresLink, to_micros},
    events::{NewEvent, postgres::event as note},
    tokens::Role,
    unavailable::Unavailable,
};

/// Administrators in PostgreSQL.
#[derive(Debug)]
pub struct PostgresAdministrators(PostgresLink);

impl PostgresAdministrators {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl AdministratorStore for PostgresAdministrators {
    async fn standing(&self, session: Uuid) -> Result<Option<Standing>, Unavailable> {
        const SQL: &str = "SELECT a.role, s.role, s.epoch, s.expires_at, u.password_reset_at, u.address_changed_at \
             FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN administrators a ON a.user_id = s.user_id \
             WHERE s.id = $1";
        let query = sqlx::query(SQL).bind(session).try_map(|row: PgRow| {
            let role = |at: usize| {
                Ok::<_, sqlx::Error>(row.try_get::<Option<&str>, _>(at)?.and_then(Role::from_name))
            };
            Ok(Standing {
                role: role(0)?,
                has_second_proof: role(1)?.is_some(),
                epoch: row.try_get(2)?,
                expires_at: row.try_get(3)?,
                password_reset_at: row.try_get(4)?,
                address_changed_at: row.try_get(5)?,
            })
        });
        self.0
            .bounded(async { query.fetch_optional(self.0.lend().await?.session()).await })
            .await
    }

    async fn grant(&self, grant: &Grant) -> Result<Granted, Unavailable> {
        // The row's lock keeps the address proven, and the account there.
        const FIND: &str = "SELECT email_verified FROM users WHERE id = $1 FOR NO KEY UPDATE";
        const ROLE: &str = "SELECT role FROM administrators WHERE user_id = $1";
        const GRANT: &str = "INSERT INTO administrators (user_id, role, granted_by, granted_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (user_id) DO UPDATE SET role = $2, granted_by = $3, granted_at = $4";
        const SESSIONS: &str = "UPDATE sessions SET role = $2 WHERE user_id = $1 AND role IS NOT NULL";
        let done = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            let is_last = is_last_administrator(&mut together, grant.user).await?;
            let found = sqlx::query_scalar(FIND).bind(grant.user);
            match found.fetch_optional(together.session()).await? {
                None => return Ok(Granted::NoAccount),
                Some(false) => return Ok(Granted::EmailUnproven),
                Some(true) => {}
            }
            let role = sqlx::query_scalar(ROLE).bind(grant.user);
            let role: Option<String> = role.fetch_optional(together.session()).await?;
            if role.as_deref() == Some(grant.role.name()) {
                return Ok(Granted::Unchanged);
            }
            // Another role than that of an administrator who may do everything.
            if is_last {
                return Ok(Granted::LastAdministrator);
            }
            let made = sqlx::query(GRANT)
                .bind(grant.user)
                .bind(grant.role.name())
                .bind(grant.by)
                .bind(to_micros(grant.event.at));
            made.execute(together.session()).await?;
            let sessions = sqlx::query(SESSIONS).bind(grant.user).bind(grant.role.name());
            sessions.execute(together.session()).await?;
            note(&grant.event, Some(grant.user))
                .execute(together.session())
                .await?;
            together.commit().await?;
            Ok(Granted::Granted)
        });
        let done = done.await?;
        if done == Granted::Granted {
            grant.event.count();
        }
        Ok(done)
    }

    async fn revoke(&self, user: Uuid, event: NewEvent) -> Result<Revoked, Unavailable> {
        const REVOKE: &str = "DELETE FROM administrators WHERE user_id = $1";
        const SESSIONS: &str = "UPDATE sessions SET role = NULL WHERE user_id = $1 AND role IS NOT NULL";
        let done = self.0.bounded(async {
            let mut lent = self.0.lend().await?;
            let mut together = lent.begin().await?;
            if is_last_administrator(&mut together, user).await? {
                return Ok(Revoked::LastAdministrator);
            }
            let revoked = sqlx::query(REVOKE).bind(user);
            if revoked.execute(together.session()).await?.rows_affected() == 0 {
                return Ok(Revoked::Unchanged);
            }
            let sessions = sqlx::query(SESSIONS).bind(user);
            sessions.execute(together.session()).await?;
            note(&event, Some(user)).execute(together.session()).await?;
            together.commit().await?;
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
        let query = sqlx::query(SQL).try_map(|row: PgRow| {
            let role = Role::from_name(row.try_get(AFTER_USER + 1)?);
            let (granted_by, granted_at) = (row.try_get(AFTER_USER + 2)?, row.try_get(AFTER_USER + 3)?);
            let (user, is_locked) = (user_of(&row)?, row.try_get(AFTER_USER)?);
            Ok(role.map(|role| Administrator {
                user,
                is_locked,
                role,
                granted_by,
                granted_at,
            }))
        });
        let rows = self
            .0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await });
        Ok(rows.await?.into_iter().flatten().collect())
    }
}
