//! Proofs in PostgreSQL. One statement decides each change; phones that are verified at the same time share one.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use uuid::Uuid;

use super::{
    Claimant, Claims, EmailHolder, EmailVerification, ProofStore, Verification,
    batch::{Ask, postgres::verify},
    claim::ClaimsOf,
};
use crate::{
    accounts::users::row::email as stored_email,
    database::{Bounds, Coalescer, Own, PostgresLink, Session, to_micros},
    email::EmailAddress,
    events::{
        NewEvent,
        postgres::{event as event_of, insert_event, parameter},
    },
    phone::PhoneNumber,
    unavailable::{Part, Unavailable},
};

/// Proofs in PostgreSQL.
#[derive(Debug)]
pub struct PostgresProofs {
    link: PostgresLink,
    claim_ttl: TimeDelta,
    claims: Coalescer<ClaimsOf, Claims, Own>,
    verifications: Coalescer<Ask, Verification, Own>,
    /// By the address's key.
    holders: Coalescer<String, EmailHolder>,
}

impl PostgresProofs {
    /// By these connections; an unproven claim of a phone lapses after `claim_ttl`. Runs inside a Tokio runtime.
    pub fn new(link: &PostgresLink, claim_ttl: TimeDelta) -> Self {
        let (one, two, three) = (link.clone(), link.clone(), link.clone());
        let (database, bounds) = (Part::Database, link.lookups());
        // The more phones one statement has, the less each costs.
        let lane_for = |threads| Bounds {
            lanes: bounds.lanes.div_ceil(threads),
            ..bounds
        };
        Self {
            link: link.clone(),
            claim_ttl,
            claims: Coalescer::holding("claims", database, lane_for(2), move |asked, own| {
                claims_of(one.clone(), asked, own).boxed()
            }),
            verifications: Coalescer::holding("verification", database, lane_for(4), move |asks, own| {
                verify(two.clone(), asks, own).boxed()
            }),
            holders: Coalescer::new("email_holder", database, bounds, move |keys| {
                holders_of(three.clone(), keys)
            }),
        }
    }
}

#[async_trait]
impl ProofStore for PostgresProofs {
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
        let live_since = event.at - self.claim_ttl;
        let ask = Ask::new(phone.clone(), *claimant, event, live_since);
        self.link
            .in_time(self.verifications.get(ask))
            .await?
            .ok_or_else(|| Unavailable::new(Part::Database, "claims change without end"))
    }

    async fn take_test_number(
        &self,
        phone: &PhoneNumber,
        claimant: &Claimant,
        event: NewEvent,
    ) -> Result<Verification, Unavailable> {
        // Two statements, since the index is unique at each moment of one; the lock has takers come one after the other.
        const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext($1))";
        const TAKER: &str = "SELECT id, phone_verified FROM users \
             WHERE phone = $1 AND locked_at IS NULL AND ($2::uuid IS NULL OR id = $2) ORDER BY id DESC LIMIT 1";
        const LEAVE: &str = "UPDATE users SET phone_verified = false, phone_owned_at = NULL, updated_at = $2 \
             WHERE phone = $1 AND phone_verified";
        const TAKE: &str =
            "UPDATE users SET phone_verified = true, phone_owned_at = NULL, updated_at = $2 WHERE id = $1";
        let now = to_micros(event.at);
        let taken = self
            .link
            .bounded(async {
                let mut lent = self.link.lend().await?;
                let mut together = lent.begin().await?;
                let lock = sqlx::query(LOCK).bind(phone.expose());
                lock.execute(together.session()).await?;
                let taker: Option<(Uuid, bool)> = sqlx::query_as(TAKER)
                    .bind(phone.expose())
                    .bind(claimant.user())
                    .fetch_optional(together.session())
                    .await?;
                if let Some((user, false)) = taker {
                    let leave = sqlx::query(LEAVE).bind(phone.expose()).bind(now);
                    leave.execute(together.session()).await?;
                    let take = sqlx::query(TAKE).bind(user).bind(now);
                    take.execute(together.session()).await?;
                    let note = event_of(&event, Some(user));
                    note.execute(together.session()).await?;
                }
                together.commit().await?;
                Ok(Verification::taken_by(taker))
            })
            .await?;
        if let Verification::Verified(_) = taken {
            event.count();
        }
        Ok(taken)
    }

    async fn phone_of(&self, user: Uuid) -> Result<Option<PhoneNumber>, Unavailable> {
        let query = sqlx::query_scalar("SELECT phone FROM users WHERE id = $1").bind(user);
        let found: Option<String> = self
            .link
            .bounded(async { query.fetch_optional(self.link.lend().await?.session()).await })
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
        // The lock shows the row as it is now, not as it was when the statement began: so of callers at the same time
        // the second finds it verified.
        const SQL: &str = concat!(
            "WITH held AS ( \
               SELECT id, email_verified FROM users WHERE email_key = $1 AND ($2 IS NULL OR id = $2) \
                 AND (email_verified OR locked_at IS NULL) FOR UPDATE \
             ), marked AS ( \
               UPDATE users u SET email_verified = true, updated_at = $3, \
                 email_owned_at = CASE WHEN $2 IS NULL THEN NULL ELSE $3 END FROM held \
               WHERE u.id = held.id AND NOT held.email_verified RETURNING u.id \
             ), noted AS (",
            insert_event!("$4", "marked.id", "marked"),
            ") SELECT id, email_verified FROM held"
        );
        let query = sqlx::query_as(SQL)
            .bind(email.key())
            .bind(claimant.user())
            .bind(to_micros(event.at))
            .bind(parameter(&event));
        let held = self
            .link
            .bounded(async { query.fetch_optional(self.link.lend().await?.session()).await });
        let verification = EmailVerification::of(held.await?);
        if let EmailVerification::Verified(_) = verification {
            event.count();
        }
        Ok(verification)
    }

    async fn email_of(&self, user: Uuid) -> Result<Option<EmailAddress>, Unavailable> {
        let query = sqlx::query_as("SELECT email, email_key FROM users WHERE id = $1").bind(user);
        let found: Option<(Option<String>, Option<String>)> = self
            .link
            .bounded(async { query.fetch_optional(self.link.lend().await?.session()).await })
            .await?;
        Ok(found.and_then(|(typed, key)| stored_email(typed, key)))
    }
}

async fn claims_of(
    link: PostgresLink,
    asked: Vec<ClaimsOf>,
    own: &mut Own,
) -> Result<Vec<(ClaimsOf, Claims)>, Unavailable> {
    // Whoever has a phone that several claim may stand behind them, and so may those whose claim has not lapsed.
    const CROWDS: &str = "SELECT (SELECT u.id FROM users u WHERE u.phone = a.phone AND u.phone_verified), \
         ARRAY(SELECT u.id FROM users u WHERE u.phone = a.phone AND NOT u.phone_verified AND u.locked_at IS NULL \
           AND COALESCE(u.phone_claimed_at, u.created_at) >= $2 ORDER BY u.id LIMIT 2) \
         FROM unnest($1::text[]) WITH ORDINALITY AS a (phone, place) ORDER BY a.place";
    let found = link.bounded(async {
        let mut session = own.connection(&link).await?;
        let phones: Vec<&str> = asked.iter().map(|asked| asked.phone.expose()).collect();
        let mut found = vec![Claims::default(); asked.len()];
        for (at, user, is_verified) in claimants_of(session.again(), &phones).await? {
            found[at].add(user, is_verified);
        }
        let is_crowded = |claims: &Claims| claims.verified_by.is_none() && claims.unverified > 1;
        let crowded: Vec<_> = (0..found.len()).filter(|&at| is_crowded(&found[at])).collect();
        if !crowded.is_empty() {
            // All that are asked together are asked within a moment.
            let live_since = asked.iter().map(|asked| asked.live_since).max();
            let crowds: Vec<(Option<Uuid>, Vec<Uuid>)> = sqlx::query_as(CROWDS)
                .bind(crowded.iter().map(|&at| phones[at]).collect::<Vec<_>>())
                .bind(live_since)
                .fetch_all(session)
                .await?;
            for (at, (owner, live)) in crowded.into_iter().zip(crowds) {
                found[at].verified_by = owner;
                found[at].keep_live(&live);
            }
        }
        Ok(found)
    });
    let found = found.await?;
    Ok(asked.into_iter().zip(found).collect())
}

/// The accounts that claim phones which differ, each with the place of its phone and whether it has it verified: all of them, or the
/// first of a phone that many claim.
async fn claimants_of(
    mut session: Session<'_>,
    phones: &[&str],
) -> Result<Vec<(usize, Uuid, bool)>, sqlx::Error> {
    // One look at an index for all, which knows no bound for each: whoever claims a phone a thousand times must not make it long.
    const TOGETHER: &str = "SELECT phone, id, phone_verified FROM users WHERE phone = ANY($1) AND (phone_verified OR locked_at IS NULL) LIMIT $2";
    const EACH: &str = "SELECT a.phone, u.id, u.phone_verified FROM unnest($1::text[]) AS a (phone) CROSS JOIN LATERAL \
         (SELECT id, phone_verified FROM users WHERE phone = a.phone AND (phone_verified OR locked_at IS NULL) ORDER BY id LIMIT 3) u";
    let most = 4 * phones.len();
    let mut rows: Vec<(String, Uuid, bool)> = sqlx::query_as(TOGETHER)
        .bind(phones)
        .bind(most as i64)
        .fetch_all(session.again())
        .await?;
    if rows.len() >= most {
        rows = sqlx::query_as(EACH).bind(phones).fetch_all(session).await?;
    }
    let places: HashMap<&str, usize> = phones.iter().copied().zip(0..).collect();
    let placed =
        |(phone, user, is_verified): (String, _, _)| Some((*places.get(phone.as_str())?, user, is_verified));
    Ok(rows.into_iter().filter_map(placed).collect())
}

async fn holders_of(
    link: PostgresLink,
    keys: Vec<String>,
) -> Result<Vec<(String, EmailHolder)>, Unavailable> {
    const SQL: &str = "SELECT email_key, email, id, email_verified FROM users WHERE email_key = ANY($1) \
         AND (email_verified OR locked_at IS NULL)";
    let query = sqlx::query_as(SQL).bind(keys);
    let rows: Vec<(String, String, Uuid, bool)> = link
        .bounded(async { query.fetch_all(link.lend().await?.session()).await })
        .await?;
    let holder = |(key, email, user, is_verified)| EmailHolder::keyed(key, email, user, is_verified);
    Ok(rows.into_iter().map(holder).collect())
}
