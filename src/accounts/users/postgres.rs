//! Users in PostgreSQL.

use async_trait::async_trait;

use super::{NewUser, RegisterError, User, UserStore};
use crate::{
    accounts::sessions::NewSession,
    database::{PostgresLink, to_micros},
    events::postgres::{insert_event, parameter},
};

/// Users in PostgreSQL.
#[derive(Debug)]
pub struct PostgresUsers(PostgresLink);

impl PostgresUsers {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl UserStore for PostgresUsers {
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError> {
        // ON CONFLICT rather than the constraint's error: PostgreSQL would write that to its log, with the e-mail.
        const SQL: &str = concat!(
            "WITH made AS ( \
               INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (email_key) DO NOTHING RETURNING id \
             ), opened AS ( \
               INSERT INTO sessions (id, user_id, refresh_hash, epoch, amr, authenticated_at, client, network, \
                 created_at, expires_at) \
               SELECT $9, made.id, $10, $11, $12, $13, $14, $15, $16, $17 FROM made \
             ), noted AS (",
            insert_event!("$18", "made.id", "made"),
            "), noted_session AS (",
            insert_event!("$19", "made.id", "made"),
            ") SELECT count(*) FROM made"
        );
        let now = to_micros(user.now);
        let query = sqlx::query_scalar(SQL)
            .bind(user.id)
            .bind(user.email.expose())
            .bind(user.email.key())
            .bind(user.phone.expose())
            .bind(user.first_name.expose())
            .bind(user.last_name.expose())
            .bind(user.password.expose())
            .bind(now)
            .bind(session.id)
            .bind(&session.refresh_hash[..])
            .bind(session.epoch)
            .bind(session.amr.stored())
            .bind(session.authenticated_at)
            .bind(&session.client)
            .bind(&session.network)
            .bind(session.now)
            .bind(session.expires_at)
            .bind(parameter(&user.event))
            .bind(parameter(&session.event));
        let made: i64 = self
            .0
            .bounded(async { query.fetch_one(self.0.lend().await?.session()).await })
            .await?;
        if made == 0 {
            return Err(RegisterError::EmailTaken);
        }
        user.event.count();
        session.event.count();
        Ok(user.registered(now))
    }
}
