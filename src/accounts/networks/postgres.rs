//! Networks in PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::store::{MOST, NetworkStore};
use crate::{
    accounts::passwords::Login, database::PostgresLink, dated::first_row_id, unavailable::Unavailable,
};

/// The account's opened sessions: an index has them alone. Their ids say in which months they are.
macro_rules! opened {
    ($account:literal) => {
        concat!(
            "FROM users u JOIN events e ON e.user_id = u.id AND e.kind = 'session.opened' AND e.network IS NOT NULL WHERE ",
            $account,
            " AND e.at >= $2 AND e.id >= $4"
        )
    };
}

macro_rules! by_email {
    () => {
        opened!("u.email_key = $1")
    };
}

macro_rules! by_phone {
    () => {
        opened!("u.phone = $1 AND u.phone_verified")
    };
}

/// Networks in PostgreSQL.
#[derive(Debug)]
pub struct PostgresNetworks(PostgresLink);

impl PostgresNetworks {
    /// By these connections.
    pub fn new(link: &PostgresLink) -> Self {
        Self(link.clone())
    }
}

#[async_trait]
impl NetworkStore for PostgresNetworks {
    async fn knows(&self, address: &Login, network: &str, since: DateTime<Utc>) -> Result<bool, Unavailable> {
        const BY_EMAIL: &str = concat!("SELECT EXISTS (SELECT ", by_email!(), " AND e.network = $3)");
        const BY_PHONE: &str = concat!("SELECT EXISTS (SELECT ", by_phone!(), " AND e.network = $3)");
        let query = match address {
            Login::Email(email) => sqlx::query_scalar(BY_EMAIL).bind(email.key()),
            Login::Phone(phone) => sqlx::query_scalar(BY_PHONE).bind(phone.expose()),
        };
        let query = query.bind(since).bind(network).bind(first_row_id(since));
        self.0
            .bounded(async { query.fetch_one(self.0.lend().await?.session()).await })
            .await
    }

    async fn known(&self, address: &Login, since: DateTime<Utc>) -> Result<Vec<String>, Unavailable> {
        const BY_EMAIL: &str = concat!("SELECT DISTINCT e.network ", by_email!(), " LIMIT $3");
        const BY_PHONE: &str = concat!("SELECT DISTINCT e.network ", by_phone!(), " LIMIT $3");
        let query = match address {
            Login::Email(email) => sqlx::query_scalar(BY_EMAIL).bind(email.key()),
            Login::Phone(phone) => sqlx::query_scalar(BY_PHONE).bind(phone.expose()),
        };
        let query = query.bind(since).bind(MOST).bind(first_row_id(since));
        self.0
            .bounded(async { query.fetch_all(self.0.lend().await?.session()).await })
            .await
    }
}
