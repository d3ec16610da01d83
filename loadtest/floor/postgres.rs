//! Ringback's tables, by the fewest statements: what many want at once is one, by a connection of its own.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use ringback::clock::{Clock, SystemClock};
use sqlx::{Connection, PgConnection, PgPool, Row, postgres::PgPoolOptions, postgres::PgRow};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::together::Together;

/// A row of the users' table.
#[derive(Clone)]
pub struct User {
    pub id: Uuid,
    pub email: String,
    pub phone: String,
    pub first_name: String,
    pub last_name: String,
    pub phone_verified: bool,
    pub email_verified: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A user, and until when the session that was asked for is good.
#[derive(Clone)]
pub struct Session {
    pub user: User,
    pub expires_at: DateTime<Utc>,
    pub revoked: bool,
}

/// An account to be made, with its session.
pub struct NewUser {
    pub user: User,
    pub password_hash: String,
    pub session: Uuid,
    pub refresh_hash: [u8; 32],
    pub expires_at: DateTime<Utc>,
}

/// A thread's way to the database.
pub struct Accounts {
    /// Users by their session.
    pub sessions: Together<Uuid, Session>,
    /// Who has a phone, and whether it is verified.
    pub phones: Together<String, (Uuid, bool)>,
    /// Marks phones as verified.
    pub verified: Together<String, ()>,
    pool: PgPool,
}

impl Accounts {
    pub async fn connect(url: &str) -> Self {
        let (one, two, three) = (lane(url).await, lane(url).await, lane(url).await);
        let options = PgPoolOptions::new().max_connections(8).test_before_acquire(false);
        Self {
            sessions: Together::new(move |ids| {
                let lane = Rc::clone(&one);
                Box::pin(async move { sessions_of(&mut *lane.lock().await, ids).await })
            }),
            phones: Together::new(move |phones| {
                let lane = Rc::clone(&two);
                Box::pin(async move { claims_of(&mut *lane.lock().await, phones).await })
            }),
            verified: Together::new(move |phones| {
                let lane = Rc::clone(&three);
                Box::pin(async move { verify(&mut *lane.lock().await, phones).await })
            }),
            pool: options.connect(url).await.expect("the database answers"),
        }
    }

    pub async fn register(&self, new: &NewUser) {
        const SQL: &str = "WITH made AS ( \
               INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, created_at, updated_at) \
               VALUES ($1, $2, lower($2), $3, $4, $5, $6, $7, $7) RETURNING id \
             ) INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) \
               SELECT $8, made.id, $9, $7, $10 FROM made";
        let user = &new.user;
        let query = sqlx::query(SQL)
            .bind(user.id)
            .bind(&user.email)
            .bind(&user.phone)
            .bind(&user.first_name)
            .bind(&user.last_name)
            .bind(&new.password_hash)
            .bind(user.created_at)
            .bind(new.session)
            .bind(&new.refresh_hash[..])
            .bind(new.expires_at);
        query.execute(&self.pool).await.expect("the account is made");
    }

    /// Spends a refresh token. Whose session it is, if it was good.
    pub async fn rotate(
        &self,
        session: Uuid,
        shown: [u8; 32],
        next: [u8; 32],
        now: DateTime<Utc>,
    ) -> Option<Uuid> {
        const SQL: &str = "UPDATE sessions SET generation = generation + 1, refresh_hash = $3, previous_hash = $2, \
               last_used_at = $4 WHERE id = $1 AND refresh_hash = $2 AND revoked_at IS NULL AND expires_at > $4 \
             RETURNING user_id";
        let query = sqlx::query_scalar(SQL)
            .bind(session)
            .bind(shown.to_vec())
            .bind(next.to_vec())
            .bind(now);
        query.fetch_optional(&self.pool).await.expect("the update")
    }

    pub async fn credentials(&self, email: &str) -> (User, String) {
        const SQL: &str = "SELECT id, email, phone, first_name, last_name, phone_verified, email_verified, \
             created_at, updated_at, password_hash FROM users WHERE email_key = $1";
        let row = sqlx::query(SQL)
            .bind(email.to_owned())
            .fetch_one(&self.pool)
            .await;
        let row = row.expect("the account is there");
        (user(&row), row.get(9))
    }

    pub async fn open_session(&self, session: Uuid, of: Uuid, refresh_hash: [u8; 32], now: DateTime<Utc>) {
        const SQL: &str = "INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $4 + interval '30 days')";
        let query = sqlx::query(SQL)
            .bind(session)
            .bind(of)
            .bind(refresh_hash.to_vec())
            .bind(now);
        query.execute(&self.pool).await.expect("the session is opened");
    }
}

async fn lane(url: &str) -> Rc<Mutex<PgConnection>> {
    let connection = PgConnection::connect(url).await;
    Rc::new(Mutex::new(connection.expect("the database answers")))
}

/// Gives each session the refresh token of this hash, as if it had just been opened.
pub async fn reset_refresh(url: &str, hashes: Vec<(Uuid, [u8; 32])>) {
    const SQL: &str = "UPDATE sessions s SET generation = 0, refresh_hash = new.hash, previous_hash = NULL, spent = '', \
         shown = 0 FROM unnest($1::uuid[], $2::bytea[]) AS new (id, hash) WHERE s.id = new.id";
    let (ids, hashes): (Vec<_>, Vec<_>) = hashes.into_iter().map(|(id, hash)| (id, hash.to_vec())).unzip();
    let mut connection = PgConnection::connect(url).await.expect("the database answers");
    let query = sqlx::query(SQL).bind(ids).bind(hashes);
    query.execute(&mut connection).await.expect("the update");
}

async fn sessions_of(connection: &mut PgConnection, ids: Vec<Uuid>) -> Vec<(Uuid, Session)> {
    const SQL: &str = "SELECT u.id, u.email, u.phone, u.first_name, u.last_name, u.phone_verified, u.email_verified, \
         u.created_at, u.updated_at, s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL \
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ANY($1)";
    let rows = sqlx::query(SQL).bind(ids).fetch_all(connection).await;
    let session = |row: &PgRow| Session {
        user: user(row),
        expires_at: row.get(10),
        revoked: row.get(11),
    };
    let rows = rows.expect("the query");
    rows.iter().map(|row| (row.get(9), session(row))).collect()
}

async fn claims_of(connection: &mut PgConnection, phones: Vec<String>) -> Vec<(String, (Uuid, bool))> {
    const SQL: &str = "SELECT phone, id, phone_verified FROM users WHERE phone = ANY($1)";
    let rows: Result<Vec<(String, Uuid, bool)>, _> =
        sqlx::query_as(SQL).bind(phones).fetch_all(connection).await;
    let rows = rows.expect("the query").into_iter();
    rows.map(|(phone, id, verified)| (phone, (id, verified)))
        .collect()
}

async fn verify(connection: &mut PgConnection, phones: Vec<String>) -> Vec<(String, ())> {
    const SQL: &str = "UPDATE users SET phone_verified = true, updated_at = $2 \
         WHERE phone = ANY($1) AND NOT phone_verified RETURNING phone";
    let query = sqlx::query_scalar(SQL).bind(phones).bind(SystemClock.now());
    let rows: Vec<String> = query.fetch_all(connection).await.expect("the update");
    rows.into_iter().map(|phone| (phone, ())).collect()
}

fn user(row: &PgRow) -> User {
    User {
        id: row.get(0),
        email: row.get(1),
        phone: row.get(2),
        first_name: row.get(3),
        last_name: row.get(4),
        phone_verified: row.get(5),
        email_verified: row.get(6),
        created_at: row.get(7),
        updated_at: row.get(8),
    }
}
