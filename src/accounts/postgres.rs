//! The account store on PostgreSQL: for any number of instances at once.
//!
//! One statement decides each change, and verifications that come at once share one; a rotation that misses is explained, and if need be punished, under the row's
//! lock.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use secrecy::SecretString;
use sqlx::{Connection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    AccountStore, Claimant, Claims, Credentials, Login, NewSession, NewUser, PasswordHash, RegisterError,
    Rotated, Rotation, SessionView, User, Verification,
    sessions::StoredSession,
    store::{lookup_bounds, to_micros},
    verification::{Ask, postgres::verify},
};
use crate::{
    database::{
        Coalescer, DatabaseUrlError, MigrateError, PoolOptions, PoolStatus,
        postgres::{Own, PostgresLink},
    },
    phone::PhoneNumber,
    unavailable::{Part, Unavailable},
};

/// Begins a row that [`user`] reads.
macro_rules! user_columns {
    () => {
        "SELECT u.id, u.email, u.phone, u.first_name, u.last_name, u.phone_verified, u.email_verified, \
         u.created_at, u.updated_at, "
    };
}

/// Kinds of lookups that travel together, each on lanes of its own.
const LOOKUPS: usize = 3;

/// Accounts in PostgreSQL.
#[derive(Debug)]
pub struct PostgresAccounts {
    link: PostgresLink,
    sessions: Coalescer<Uuid, SessionView, Own>,
    claims: Coalescer<PhoneNumber, Claims, Own>,
    verifications: Coalescer<Ask, Verification, Own>,
}

impl PostgresAccounts {
    /// Prepares the way; connects at the first call, so the database may be away at start. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn connect(url: &SecretString, options: PoolOptions) -> Result<Self, DatabaseUrlError> {
        let bounds = lookup_bounds(options.max_connections);
        let link = PostgresLink::open(url, options, LOOKUPS * bounds.lanes)?;
        let (one, two, three) = (link.clone(), link.clone(), link.clone());
        let database = Part::Database;
        Ok(Self {
            link,
            sessions: Coalescer::holding("session", database, bounds, move |ids, own| {
                sessions_of(one.clone(), ids, own).boxed()
            }),
            claims: Coalescer::holding("claims", database, bounds, move |phones, own| {
                claims_of(two.clone(), phones, own).boxed()
            }),
            verifications: Coalescer::holding("verification", database, bounds, move |asks, own| {
                verify(three.clone(), asks, own).boxed()
            }),
        })
    }

    /// The connections, for what else is kept in this database.
    pub fn link(&self) -> PostgresLink {
        self.link.clone()
    }
}

#[async_trait]
impl AccountStore for PostgresAccounts {
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError> {
        // ON CONFLICT rather than the constraint's error, since PostgreSQL would write that to its log, e-mail and all.
        const SQL: &str = "WITH made AS ( \
               INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (email_key) DO NOTHING RETURNING id \
             ), opened AS ( \
               INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) \
               SELECT $9, made.id, $10, $11, $12 FROM made \
             ) SELECT count(*) FROM made";
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
            .bind(session.now)
            .bind(session.expires_at);
        let made: i64 = self
            .link
            .bounded(async { query.fetch_one(&mut *self.link.lend().await?).await })
            .await?;
        if made == 0 {
            return Err(RegisterError::EmailTaken);
        }
        Ok(user.registered(now))
    }

    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, Unavailable> {
        const BY_EMAIL: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL FROM users u WHERE u.email_key = $1"
        );
        const BY_PHONE: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL FROM users u WHERE u.phone = $1 AND u.phone_verified"
        );
        let query = match login {
            Login::Email(email) => sqlx::query(BY_EMAIL).bind(email.key()),
            Login::Phone(phone) => sqlx::query(BY_PHONE).bind(phone.expose()),
        };
        let query = query.try_map(|row: PgRow| {
            Ok(Credentials {
                user: user(&row)?,
                password: PasswordHash::from_stored(row.try_get(9)?),
                locked: row.try_get(10)?,
            })
        });
        self.link
            .bounded(async { query.fetch_optional(&mut *self.link.lend().await?).await })
            .await
    }

    async fn claims(&self, phone: &PhoneNumber) -> Result<Claims, Unavailable> {
        let found = self.link.in_time(self.claims.get(phone.clone())).await?;
        Ok(found.unwrap_or_default())
    }

    async fn verify_phone(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        now: DateTime<Utc>,
    ) -> Result<Verification, Unavailable> {
        let ask = Ask::new(phone.clone(), *claimant, now);
        self.link
            .in_time(self.verifications.get(ask))
            .await?
            .ok_or_else(|| Unavailable::new(Part::Database, "claims change without end"))
    }

    async fn phone_of(&self, user: Uuid) -> Result<Option<PhoneNumber>, Unavailable> {
        let query = sqlx::query_scalar("SELECT phone FROM users WHERE id = $1").bind(user);
        let found: Option<String> = self
            .link
            .bounded(async { query.fetch_optional(&mut *self.link.lend().await?).await })
            .await?;
        Ok(found.map(PhoneNumber::from_stored))
    }

    async fn session(&self, session_id: Uuid) -> Result<Option<SessionView>, Unavailable> {
        self.link.in_time(self.sessions.get(session_id)).await
    }

    async fn open_session(&self, session: NewSession) -> Result<(), Unavailable> {
        const SQL: &str = "INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5)";
        let query = sqlx::query(SQL)
            .bind(session.id)
            .bind(session.user_id)
            .bind(&session.refresh_hash[..])
            .bind(session.now)
            .bind(session.expires_at);
        self.execute(query).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Unavailable> {
        self.link
            .bounded(async {
                match self.move_on(&rotation).await? {
                    Some(rotated) => Ok(rotated),
                    None => self.explain_rotation(&rotation).await,
                }
            })
            .await
    }

    async fn revoke(&self, session_id: Uuid, now: DateTime<Utc>) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        self.execute(sqlx::query(SQL).bind(session_id).bind(now)).await
    }

    async fn purge_sessions(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        const SQL: &str =
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)";
        self.affect(sqlx::query(SQL).bind(before).bind(i64::from(limit)))
            .await
    }

    async fn set_password_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
        self.execute(sqlx::query(SQL).bind(user).bind(old.expose()).bind(new.expose()))
            .await
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        self.execute(sqlx::query("SELECT 1")).await
    }

    async fn migrate(&self) -> Result<(), MigrateError> {
        self.link.migrate(sqlx::migrate!("migrations/postgres")).await
    }

    fn pool_status(&self) -> PoolStatus {
        self.link.status()
    }

    async fn close(&self) {
        self.link.close().await;
    }
}

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl PostgresAccounts {
    async fn execute(&self, query: Query) -> Result<(), Unavailable> {
        self.affect(query).await.map(drop)
    }

    /// Answers how many rows it touched.
    async fn affect(&self, query: Query) -> Result<u64, Unavailable> {
        let done = self
            .link
            .bounded(async { query.execute(&mut *self.link.lend().await?).await });
        Ok(done.await?.rows_affected())
    }

    /// The one UPDATE that rotates. `None` if it missed.
    async fn move_on(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const SQL: &str = "UPDATE sessions s SET generation = s.generation + 1, refresh_hash = $4, \
               previous_hash = s.refresh_hash, rotated_at = $5 \
             WHERE s.id = $1 AND s.generation = $2 AND s.refresh_hash = $3 \
               AND s.revoked_at IS NULL AND s.expires_at > $5 \
               AND EXISTS (SELECT FROM users u WHERE u.id = s.user_id AND u.locked_at IS NULL) \
             RETURNING s.user_id, s.expires_at";
        let query = sqlx::query_as(SQL)
            .bind(rotation.session_id)
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(to_micros(rotation.now));
        let moved: Option<(Uuid, DateTime<Utc>)> =
            query.fetch_optional(&mut *self.link.lend().await?).await?;
        Ok(moved.map(|(user_id, expires_at)| Rotated::Rotated { user_id, expires_at }))
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else sees the session again.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Rotated, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, s.generation, s.refresh_hash, s.previous_hash, s.rotated_at, \
             s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 FOR UPDATE OF s";
        const REVOKE: &str = "UPDATE sessions SET revoked_at = $2 WHERE id = $1";
        let mut lent = self.link.lend().await?;
        let mut transaction = lent.begin().await?;
        let query = sqlx::query(READ).bind(rotation.session_id).try_map(|row: PgRow| {
            Ok(StoredSession {
                user_id: row.try_get(0)?,
                generation: row.try_get(1)?,
                refresh_hash: row.try_get(2)?,
                previous_hash: row.try_get(3)?,
                rotated_at: row.try_get(4)?,
                expires_at: row.try_get(5)?,
                revoked: row.try_get(6)?,
            })
        });
        let stored = query.fetch_optional(&mut *transaction).await?;
        let verdict = rotation.explain_miss(stored.as_ref());
        if let Rotated::Reused { .. } = verdict {
            let query = sqlx::query(REVOKE).bind(rotation.session_id).bind(rotation.now);
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(verdict)
    }
}

/// A user from a row that begins with the columns of `user_columns!`.
fn user(row: &PgRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get(0)?,
        email: row.try_get(1)?,
        phone: PhoneNumber::from_stored(row.try_get(2)?),
        first_name: row.try_get(3)?,
        last_name: row.try_get(4)?,
        phone_verified: row.try_get(5)?,
        email_verified: row.try_get(6)?,
        created_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
    })
}

async fn sessions_of(
    link: PostgresLink,
    ids: Vec<Uuid>,
    own: &mut Own,
) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        user_columns!(),
        "s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL \
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ANY($1)"
    );
    let query = sqlx::query(SQL).bind(ids).try_map(|row: PgRow| {
        let view = SessionView {
            user: user(&row)?,
            expires_at: row.try_get(10)?,
            revoked: row.try_get(11)?,
        };
        Ok((row.try_get(9)?, view))
    });
    link.bounded(async { query.fetch_all(own.connection(&link).await?).await })
        .await
}

async fn claims_of(
    link: PostgresLink,
    phones: Vec<PhoneNumber>,
    own: &mut Own,
) -> Result<Vec<(PhoneNumber, Claims)>, Unavailable> {
    // One look at an index tells all that there is to know of most phones.
    const SQL: &str = "SELECT a.place, u.id, u.phone_verified \
         FROM unnest($1::text[]) WITH ORDINALITY AS a (phone, place) CROSS JOIN LATERAL \
         (SELECT id, phone_verified FROM users WHERE phone = a.phone ORDER BY id LIMIT 3) u";
    // Whoever has a phone that several claim may stand behind them.
    const OWNERS: &str = "SELECT (SELECT u.id FROM users u WHERE u.phone = a.phone AND u.phone_verified) \
         FROM unnest($1::text[]) WITH ORDINALITY AS a (phone, place) ORDER BY a.place";
    let found = link.bounded(async {
        let connection = own.connection(&link).await?;
        let mut found = vec![Claims::default(); phones.len()];
        let rows: Vec<(i64, Uuid, bool)> = sqlx::query_as(SQL)
            .bind(phones.iter().map(PhoneNumber::expose).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        for (place, user, is_verified) in rows {
            // Places begin with 1.
            found[place as usize - 1].add(user, is_verified);
        }
        let is_crowded = |claims: &Claims| claims.verified_by.is_none() && claims.unverified > 1;
        let crowded: Vec<_> = (0..found.len()).filter(|&at| is_crowded(&found[at])).collect();
        if !crowded.is_empty() {
            let owners: Vec<Option<Uuid>> = sqlx::query_scalar(OWNERS)
                .bind(crowded.iter().map(|&at| phones[at].expose()).collect::<Vec<_>>())
                .fetch_all(connection)
                .await?;
            for (at, owner) in crowded.into_iter().zip(owners) {
                found[at].verified_by = owner;
            }
        }
        Ok(found)
    });
    let found = found.await?;
    Ok(phones.into_iter().zip(found).collect())
}
