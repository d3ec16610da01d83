//! The account store on SQLite: for a laptop, a demo and one small machine.
//!
//! The statements are those of `postgres.rs`, which says why. Where a change takes two, one transaction holds both.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::Row;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    AccountStore, Claimant, Claims, Credentials, Login, NewSession, NewUser, PasswordHash, RegisterError,
    Rotated, Rotation, SessionView, User, Verification,
    sessions::StoredSession,
    store::{Miss, VERIFY_ATTEMPTS, lookup_bounds, to_micros},
};
use crate::{
    database::{
        Coalescer, DatabaseUrlError, MigrateError, PoolOptions, PoolStatus,
        sqlite::{SqliteLink, json},
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

/// Accounts in an SQLite file.
#[derive(Debug)]
pub struct SqliteAccounts {
    link: SqliteLink,
    sessions: Coalescer<Uuid, SessionView>,
    claims: Coalescer<PhoneNumber, Claims>,
}

impl SqliteAccounts {
    /// Makes the folder and the file if there is none (mode 0700 and 0600). Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// When the URL is none, or the file can't be made.
    pub fn connect(url: &SecretString, options: PoolOptions) -> Result<Self, DatabaseUrlError> {
        let link = SqliteLink::open(url, options)?;
        let bounds = lookup_bounds(options.max_connections);
        let (one, two) = (link.clone(), link.clone());
        let sessions = move |ids| sessions_of(one.clone(), ids);
        let claims = move |phones| claims_of(two.clone(), phones);
        Ok(Self {
            link,
            sessions: Coalescer::new("session", Part::Database, bounds, sessions),
            claims: Coalescer::new("claims", Part::Database, bounds, claims),
        })
    }

    /// The connections, for what else is kept in this database.
    pub fn link(&self) -> SqliteLink {
        self.link.clone()
    }
}

#[async_trait]
impl AccountStore for SqliteAccounts {
    async fn register(&self, user: NewUser, session: NewSession) -> Result<User, RegisterError> {
        const USER: &str = "INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, \
               created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (email_key) DO NOTHING";
        let made = self.link.bounded(async {
            let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
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
            insert_session(&session).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(true)
        });
        if made.await? {
            let now = to_micros(user.now);
            Ok(user.registered(now))
        } else {
            Err(RegisterError::EmailTaken)
        }
    }

    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, Unavailable> {
        const BY_EMAIL: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL FROM users u WHERE u.email_key = ?1"
        );
        const BY_PHONE: &str = concat!(
            user_columns!(),
            "u.password_hash, u.locked_at IS NOT NULL FROM users u WHERE u.phone = ?1 AND u.phone_verified"
        );
        let query = match login {
            Login::Email(email) => sqlx::query(BY_EMAIL).bind(email.key()),
            Login::Phone(phone) => sqlx::query(BY_PHONE).bind(phone.expose()),
        };
        let query = query.try_map(|row: SqliteRow| {
            Ok(Credentials {
                user: user(&row)?,
                password: PasswordHash::from_stored(row.try_get(9)?),
                locked: row.try_get(10)?,
            })
        });
        self.link.bounded(query.fetch_optional(&self.link.readers)).await
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
        let attempts = async {
            for _ in 0..VERIFY_ATTEMPTS {
                if let Some(user) = self.mark_verified(phone, claimant, now).await? {
                    return Ok(Some(Verification::Verified(user)));
                }
                let explained = self.read_miss(phone, claimant).await?.explain(claimant);
                if explained.is_some() {
                    return Ok(explained);
                }
            }
            Ok(None)
        };
        self.link
            .bounded(attempts)
            .await?
            .ok_or_else(|| Unavailable::new(Part::Database, "claims change without end"))
    }

    async fn phone_of(&self, user: Uuid) -> Result<Option<PhoneNumber>, Unavailable> {
        let query = sqlx::query_scalar("SELECT phone FROM users WHERE id = ?1").bind(user.hyphenated());
        let found: Option<String> = self
            .link
            .bounded(query.fetch_optional(&self.link.readers))
            .await?;
        Ok(found.map(PhoneNumber::from_stored))
    }

    async fn session(&self, session_id: Uuid) -> Result<Option<SessionView>, Unavailable> {
        self.link.in_time(self.sessions.get(session_id)).await
    }

    async fn open_session(&self, session: NewSession) -> Result<(), Unavailable> {
        self.write(insert_session(&session)).await
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
        const SQL: &str = "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
        let query = sqlx::query(SQL).bind(session_id.hyphenated());
        self.write(query.bind(now.timestamp_micros())).await
    }

    async fn purge_sessions(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, Unavailable> {
        let sql = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ?1 LIMIT ?2)";
        self.affect(sqlx::query(sql).bind(before.timestamp_micros()).bind(limit))
            .await
    }

    async fn set_password_hash(
        &self,
        user: Uuid,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<(), Unavailable> {
        const SQL: &str = "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2";
        let query = sqlx::query(SQL).bind(user.hyphenated());
        self.write(query.bind(old.expose().to_owned()).bind(new.expose().to_owned()))
            .await
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        let query = sqlx::query("SELECT 1").execute(&self.link.readers);
        self.link.bounded(query).await.map(drop)
    }

    async fn migrate(&self) -> Result<(), MigrateError> {
        self.link.migrate(sqlx::migrate!("migrations/sqlite")).await
    }

    fn pool_status(&self) -> PoolStatus {
        self.link.status()
    }

    async fn close(&self) {
        self.link.close().await;
    }
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

impl SqliteAccounts {
    async fn write(&self, query: Query) -> Result<(), Unavailable> {
        self.affect(query).await.map(drop)
    }

    async fn affect(&self, query: Query) -> Result<u64, Unavailable> {
        let done = query.execute(&self.link.writer);
        self.link.bounded(done).await.map(|done| done.rows_affected())
    }

    /// The one UPDATE that verifies. `None` if it missed.
    async fn mark_verified(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, sqlx::Error> {
        const MINE: &str = "UPDATE users SET phone_verified = 1, updated_at = ?2 \
             WHERE phone = ?1 AND NOT phone_verified AND id = ?3 \
               AND NOT EXISTS (SELECT 1 FROM users o WHERE o.phone = ?1 AND o.phone_verified) RETURNING id";
        const SOLE: &str = "UPDATE users SET phone_verified = 1, updated_at = ?2 \
             WHERE phone = ?1 AND NOT phone_verified \
               AND NOT EXISTS (SELECT 1 FROM users o WHERE o.phone = ?1 AND o.phone_verified) \
               AND 1 = (SELECT count(*) FROM (SELECT 1 FROM users c WHERE c.phone = ?1 AND NOT c.phone_verified LIMIT 2)) \
             RETURNING id";
        let now = now.timestamp_micros();
        let query = match claimant {
            Claimant::User(user) => sqlx::query_scalar(MINE)
                .bind(phone.expose())
                .bind(now)
                .bind(user.hyphenated()),
            Claimant::Anyone => sqlx::query_scalar(SOLE).bind(phone.expose()).bind(now),
        };
        let verified: Option<Hyphenated> = query.fetch_optional(&self.link.writer).await?;
        Ok(verified.map(Hyphenated::into_uuid))
    }

    async fn read_miss(&self, phone: &PhoneNumber, claimant: &Claimant) -> Result<Miss, sqlx::Error> {
        const SQL: &str = "SELECT (SELECT id FROM users WHERE phone = ?1 AND phone_verified), \
             (SELECT count(*) FROM (SELECT 1 FROM users WHERE phone = ?1 AND NOT phone_verified LIMIT 2)), \
             EXISTS (SELECT 1 FROM users WHERE id = ?2 AND phone = ?1)";
        let me = match claimant {
            Claimant::User(user) => Some(user.hyphenated()),
            Claimant::Anyone => None,
        };
        let query = sqlx::query_as(SQL).bind(phone.expose()).bind(me);
        let (verified_by, unverified, mine): (Option<Hyphenated>, i64, bool) =
            query.fetch_one(&self.link.writer).await?;
        Ok(Miss {
            verified_by: verified_by.map(Hyphenated::into_uuid),
            unverified,
            mine,
        })
    }

    /// The one UPDATE that rotates. `None` if it missed.
    async fn move_on(&self, rotation: &Rotation) -> Result<Option<Rotated>, sqlx::Error> {
        const SQL: &str = "UPDATE sessions AS s SET generation = s.generation + 1, refresh_hash = ?4, \
               previous_hash = s.refresh_hash, rotated_at = ?5 \
             WHERE s.id = ?1 AND s.generation = ?2 AND s.refresh_hash = ?3 \
               AND s.revoked_at IS NULL AND s.expires_at > ?5 \
               AND EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.locked_at IS NULL) \
             RETURNING user_id, expires_at";
        let query = sqlx::query_as(SQL)
            .bind(rotation.session_id.hyphenated())
            .bind(i64::from(rotation.generation))
            .bind(&rotation.token_hash[..])
            .bind(&rotation.next_hash[..])
            .bind(rotation.now.timestamp_micros());
        let moved: Option<(Hyphenated, i64)> = query.fetch_optional(&self.link.writer).await?;
        Ok(moved.map(|(user_id, expires_at)| Rotated::Rotated {
            user_id: user_id.into_uuid(),
            expires_at: time(expires_at),
        }))
    }

    /// Why the UPDATE missed; a reuse is revoked before anyone else writes.
    async fn explain_rotation(&self, rotation: &Rotation) -> Result<Rotated, sqlx::Error> {
        const READ: &str = "SELECT s.user_id, s.generation, s.refresh_hash, s.previous_hash, s.rotated_at, \
             s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL \
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?1";
        const REVOKE: &str = "UPDATE sessions SET revoked_at = ?2 WHERE id = ?1";
        let id = rotation.session_id.hyphenated();
        let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
        let query = sqlx::query(READ).bind(id).try_map(|row: SqliteRow| {
            Ok(StoredSession {
                user_id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
                generation: row.try_get(1)?,
                refresh_hash: row.try_get(2)?,
                previous_hash: row.try_get(3)?,
                rotated_at: row.try_get::<Option<i64>, _>(4)?.map(time),
                expires_at: time(row.try_get(5)?),
                revoked: row.try_get(6)?,
            })
        });
        let stored = query.fetch_optional(&mut *transaction).await?;
        let verdict = rotation.explain_miss(stored.as_ref());
        if let Rotated::Reused { .. } = verdict {
            let query = sqlx::query(REVOKE).bind(id).bind(rotation.now.timestamp_micros());
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(verdict)
    }
}

fn insert_session(session: &NewSession) -> Query {
    const SQL: &str = "INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlx::query(SQL)
        .bind(session.id.hyphenated())
        .bind(session.user_id.hyphenated())
        .bind(session.refresh_hash.to_vec())
        .bind(session.now.timestamp_micros())
        .bind(session.expires_at.timestamp_micros())
}

/// Times are stored as microseconds; what this service wrote lies within chrono's range.
fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// A user from a row that begins with the columns of `user_columns!`.
fn user(row: &SqliteRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get::<Hyphenated, _>(0)?.into_uuid(),
        email: row.try_get(1)?,
        phone: PhoneNumber::from_stored(row.try_get(2)?),
        first_name: row.try_get(3)?,
        last_name: row.try_get(4)?,
        phone_verified: row.try_get(5)?,
        email_verified: row.try_get(6)?,
        created_at: time(row.try_get(7)?),
        updated_at: time(row.try_get(8)?),
    })
}

async fn sessions_of(link: SqliteLink, ids: Vec<Uuid>) -> Result<Vec<(Uuid, SessionView)>, Unavailable> {
    const SQL: &str = concat!(
        user_columns!(),
        "s.id, s.expires_at, s.revoked_at IS NOT NULL OR u.locked_at IS NOT NULL \
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN (SELECT value FROM json_each(?1))"
    );
    let ids = json(ids.iter().map(Uuid::to_string));
    let query = sqlx::query(SQL).bind(ids).try_map(|row: SqliteRow| {
        let view = SessionView {
            user: user(&row)?,
            expires_at: time(row.try_get(10)?),
            revoked: row.try_get(11)?,
        };
        Ok((row.try_get::<Hyphenated, _>(9)?.into_uuid(), view))
    });
    link.bounded(query.fetch_all(&link.readers)).await
}

async fn claims_of(
    link: SqliteLink,
    phones: Vec<PhoneNumber>,
) -> Result<Vec<(PhoneNumber, Claims)>, Unavailable> {
    const SQL: &str = "SELECT p.value, \
         (SELECT u.id FROM users u WHERE u.phone = p.value AND u.phone_verified), \
         (SELECT count(*) FROM (SELECT 1 FROM users u WHERE u.phone = p.value AND NOT u.phone_verified LIMIT 2)), \
         (SELECT u.id FROM users u WHERE u.phone = p.value AND NOT u.phone_verified ORDER BY u.id LIMIT 1) \
         FROM json_each(?1) AS p";
    let query = sqlx::query_as(SQL).bind(json(phones.iter().map(|phone| phone.expose().to_owned())));
    let rows: Vec<(String, Option<Hyphenated>, i64, Option<Hyphenated>)> =
        link.bounded(query.fetch_all(&link.readers)).await?;
    let claims = |(phone, verified_by, unverified, first): (_, Option<Hyphenated>, _, Option<Hyphenated>)| {
        let [verified_by, first] = [verified_by, first].map(|id| id.map(Hyphenated::into_uuid));
        (
            PhoneNumber::from_stored(phone),
            Claims::of(verified_by, unverified, first),
        )
    };
    Ok(rows.into_iter().map(claims).collect())
}
