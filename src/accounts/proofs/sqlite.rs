//! Proofs in SQLite. The statements are those of `postgres.rs`, which says why.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    Claimant, Claims, EmailHolder, EmailVerification, ProofStore, Verification,
    claim::ClaimsOf,
    miss::{Miss, VERIFY_ATTEMPTS},
};
use crate::{
    accounts::users::row::email as stored_email,
    database::{Coalescer, SqliteLink, sqlite::json},
    email::EmailAddress,
    events::{self, NewEvent},
    phone::PhoneNumber,
    unavailable::{Part, Unavailable},
};

/// Proofs in an SQLite file.
#[derive(Debug)]
pub struct SqliteProofs {
    link: SqliteLink,
    claim_ttl: TimeDelta,
    claims: Coalescer<ClaimsOf, Claims>,
    /// By the address's key.
    holders: Coalescer<String, EmailHolder>,
}

impl SqliteProofs {
    /// By these connections; an unproven claim of a phone lapses after `claim_ttl`. Runs inside a Tokio runtime.
    pub fn new(link: &SqliteLink, claim_ttl: TimeDelta) -> Self {
        let (one, two) = (link.clone(), link.clone());
        let (database, bounds) = (Part::Database, link.lookups());
        Self {
            link: link.clone(),
            claim_ttl,
            claims: Coalescer::new("claims", database, bounds, move |phones| {
                claims_of(one.clone(), phones)
            }),
            holders: Coalescer::new("email_holder", database, bounds, move |keys| {
                holders_of(two.clone(), keys)
            }),
        }
    }
}

#[async_trait]
impl ProofStore for SqliteProofs {
    async fn claims(&self, phone: &PhoneNumber, now: DateTime<Utc>) -> Result<Claims, Unavailable> {
        let asked = ClaimsOf {
            phone: phone.clone(),
            live_since: now - self.claim_ttl,
        };
        let found = self.link.in_time(self.claims.get(asked)).await?;
        Ok(found.unwrap_or_default())
    }

    async fn verify_phone(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<Verification, Unavailable> {
        let attempts = async {
            for _ in 0..VERIFY_ATTEMPTS {
                if let Some(user) = self.mark_verified(phone, claimant, &event).await? {
                    event.count();
                    return Ok(Some(Verification::Verified(user)));
                }
                let explained = self.read_miss(phone, claimant, event.at).await?.explain(claimant);
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

    async fn take_test_number(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<Verification, Unavailable> {
        const TAKER: &str = "SELECT id, phone_verified FROM users \
             WHERE phone = ?1 AND locked_at IS NULL AND (?2 IS NULL OR id = ?2) ORDER BY id DESC LIMIT 1";
        const LEAVE: &str = "UPDATE users SET phone_verified = 0, phone_owned_at = NULL, updated_at = ?2 \
             WHERE phone = ?1 AND phone_verified";
        const TAKE: &str =
            "UPDATE users SET phone_verified = 1, phone_owned_at = NULL, updated_at = ?2 WHERE id = ?1";
        let now = event.at.timestamp_micros();
        let take = async {
            let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
            let taker: Option<(Hyphenated, bool)> = sqlx::query_as(TAKER)
                .bind(phone.expose())
                .bind(claimant.user().map(Uuid::hyphenated))
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some((user, false)) = taker {
                let leave = sqlx::query(LEAVE).bind(phone.expose()).bind(now);
                leave.execute(&mut *transaction).await?;
                let take = sqlx::query(TAKE).bind(user).bind(now);
                take.execute(&mut *transaction).await?;
                let note = events::sqlite::event(&event, Some(user.into_uuid()));
                note.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            let taker = taker.map(|(user, had_it)| (user.into_uuid(), had_it));
            Ok(Verification::taken_by(taker))
        };
        let taken = self.link.bounded(take).await?;
        if let Verification::Verified(_) = taken {
            event.count();
        }
        Ok(taken)
    }

    async fn phone_of(&self, user: Uuid) -> Result<Option<PhoneNumber>, Unavailable> {
        let query = sqlx::query_scalar("SELECT phone FROM users WHERE id = ?1").bind(user.hyphenated());
        let found: Option<String> = self
            .link
            .bounded(query.fetch_optional(&self.link.readers))
            .await?;
        Ok(found.map(PhoneNumber::from_stored))
    }

    async fn email_holder(&self, email: &EmailAddress) -> Result<Option<EmailHolder>, Unavailable> {
        self.link.in_time(self.holders.get(email.key().to_owned())).await
    }

    async fn verify_email(
        &self,
        email: &EmailAddress,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<EmailVerification, Unavailable> {
        const READ: &str = "SELECT id, email_verified FROM users WHERE email_key = ?1 AND (?2 IS NULL OR id = ?2) \
             AND (email_verified OR locked_at IS NULL)";
        const MARK: &str = "UPDATE users SET email_verified = 1, updated_at = ?2, \
             email_owned_at = CASE WHEN ?3 IS NULL THEN NULL ELSE ?2 END WHERE id = ?1";
        let verify = async {
            let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
            let held: Option<(Hyphenated, bool)> = sqlx::query_as(READ)
                .bind(email.key())
                .bind(claimant.user().map(Uuid::hyphenated))
                .fetch_optional(&mut *transaction)
                .await?;
            if let Some((user, false)) = held {
                let mark = sqlx::query(MARK)
                    .bind(user)
                    .bind(event.at.timestamp_micros())
                    .bind(claimant.user().map(Uuid::hyphenated));
                mark.execute(&mut *transaction).await?;
                let note = events::sqlite::event(&event, Some(user.into_uuid()));
                note.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(held.map(|(user, was_verified)| (user.into_uuid(), was_verified)))
        };
        let verification = EmailVerification::of(self.link.bounded(verify).await?);
        if let EmailVerification::Verified(_) = verification {
            event.count();
        }
        Ok(verification)
    }

    async fn email_of(&self, user: Uuid) -> Result<Option<EmailAddress>, Unavailable> {
        let query =
            sqlx::query_as("SELECT email, email_key FROM users WHERE id = ?1").bind(user.hyphenated());
        let found: Option<(Option<String>, Option<String>)> = self
            .link
            .bounded(query.fetch_optional(&self.link.readers))
            .await?;
        Ok(found.and_then(|(typed, key)| stored_email(typed, key)))
    }
}

impl SqliteProofs {
    /// The one UPDATE that verifies. `None` if it missed.
    async fn mark_verified(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        event: &NewEvent,
    ) -> Result<Option<Uuid>, sqlx::Error> {
        const MINE: &str = "UPDATE users SET phone_verified = 1, updated_at = ?2, phone_owned_at = ?2 \
             WHERE phone = ?1 AND NOT phone_verified AND locked_at IS NULL AND id = ?3 \
               AND NOT EXISTS (SELECT 1 FROM users o WHERE o.phone = ?1 AND o.phone_verified) RETURNING id";
        const SOLE: &str = "UPDATE users SET phone_verified = 1, updated_at = ?2, phone_owned_at = NULL \
             WHERE phone = ?1 AND NOT phone_verified AND locked_at IS NULL \
               AND NOT EXISTS (SELECT 1 FROM users o WHERE o.phone = ?1 AND o.phone_verified) \
               AND (1 = (SELECT count(*) FROM (SELECT 1 FROM users c \
                   WHERE c.phone = ?1 AND NOT c.phone_verified AND c.locked_at IS NULL LIMIT 2)) \
                 OR coalesce(phone_claimed_at, created_at) >= ?3 AND 1 = (SELECT count(*) FROM (SELECT 1 FROM users c \
                   WHERE c.phone = ?1 AND NOT c.phone_verified AND c.locked_at IS NULL AND coalesce(c.phone_claimed_at, c.created_at) >= ?3 LIMIT 2))) \
             RETURNING id";
        let live_since = (event.at - self.claim_ttl).timestamp_micros();
        let now = event.at.timestamp_micros();
        let query = match claimant {
            Claimant::User(user) => sqlx::query_scalar(MINE)
                .bind(phone.expose())
                .bind(now)
                .bind(user.hyphenated()),
            Claimant::Anyone => sqlx::query_scalar(SOLE)
                .bind(phone.expose())
                .bind(now)
                .bind(live_since),
        };
        let mut transaction = self.link.writer.begin_with("BEGIN IMMEDIATE").await?;
        let verified: Option<Hyphenated> = query.fetch_optional(&mut *transaction).await?;
        let verified = verified.map(Hyphenated::into_uuid);
        if verified.is_some() {
            let note = events::sqlite::event(event, verified);
            note.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(verified)
    }

    async fn read_miss(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        now: DateTime<Utc>,
    ) -> Result<Miss, sqlx::Error> {
        const SQL: &str = "SELECT (SELECT id FROM users WHERE phone = ?1 AND phone_verified), \
             (SELECT count(*) FROM (SELECT 1 FROM users WHERE phone = ?1 AND NOT phone_verified AND locked_at IS NULL LIMIT 2)), \
             (SELECT count(*) FROM (SELECT 1 FROM users WHERE phone = ?1 AND NOT phone_verified AND locked_at IS NULL \
               AND coalesce(phone_claimed_at, created_at) >= ?3 LIMIT 2)), \
             EXISTS (SELECT 1 FROM users WHERE id = ?2 AND phone = ?1 AND (phone_verified OR locked_at IS NULL))";
        let me = claimant.user().map(Uuid::hyphenated);
        let query = sqlx::query_as(SQL)
            .bind(phone.expose())
            .bind(me)
            .bind((now - self.claim_ttl).timestamp_micros());
        let (verified_by, unverified, live, mine): (Option<Hyphenated>, i64, i64, bool) =
            query.fetch_one(&self.link.writer).await?;
        Ok(Miss {
            verified_by: verified_by.map(Hyphenated::into_uuid),
            unverified,
            live,
            mine,
        })
    }
}

async fn claims_of(link: SqliteLink, asked: Vec<ClaimsOf>) -> Result<Vec<(ClaimsOf, Claims)>, Unavailable> {
    const SQL: &str = "SELECT (SELECT u.id FROM users u WHERE u.phone = p.value AND u.phone_verified), \
         (SELECT count(*) FROM (SELECT 1 FROM users u WHERE u.phone = p.value AND NOT u.phone_verified AND u.locked_at IS NULL LIMIT 2)), \
         (SELECT u.id FROM users u WHERE u.phone = p.value AND NOT u.phone_verified AND u.locked_at IS NULL ORDER BY u.id LIMIT 1), \
         (SELECT json_group_array(id) FROM (SELECT u.id FROM users u WHERE u.phone = p.value AND NOT u.phone_verified AND u.locked_at IS NULL \
           AND coalesce(u.phone_claimed_at, u.created_at) >= ?2 ORDER BY u.id LIMIT 2)) \
         FROM json_each(?1) AS p ORDER BY p.key";
    // All that are asked together are asked within a moment.
    let live_since = asked.iter().map(|asked| asked.live_since).max();
    let query = sqlx::query_as(SQL)
        .bind(json(asked.iter().map(|asked| asked.phone.expose().to_owned())))
        .bind(live_since.map(|since| since.timestamp_micros()));
    let rows: Vec<(Option<Hyphenated>, i64, Option<Hyphenated>, String)> =
        link.bounded(query.fetch_all(&link.readers)).await?;
    let claims = rows.into_iter().map(|(verified_by, unverified, first, live)| {
        let [verified_by, first] = [verified_by, first].map(|id| id.map(Hyphenated::into_uuid));
        let mut claims = Claims::of(verified_by, unverified, first);
        claims.keep_live(&serde_json::from_str::<Vec<Uuid>>(&live).unwrap_or_default());
        claims
    });
    Ok(asked.into_iter().zip(claims).collect())
}

async fn holders_of(link: SqliteLink, keys: Vec<String>) -> Result<Vec<(String, EmailHolder)>, Unavailable> {
    const SQL: &str = "SELECT email_key, email, id, email_verified FROM users \
         WHERE email_key IN (SELECT value FROM json_each(?1)) AND (email_verified OR locked_at IS NULL)";
    let query = sqlx::query_as(SQL).bind(json(keys.into_iter()));
    let rows: Vec<(String, String, Hyphenated, bool)> = link.bounded(query.fetch_all(&link.readers)).await?;
    let holder = |(key, email, user, is_verified): (_, _, Hyphenated, _)| {
        EmailHolder::keyed(key, email, user.into_uuid(), is_verified)
    };
    Ok(rows.into_iter().map(holder).collect())
}
