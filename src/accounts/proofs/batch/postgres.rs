//! Marks phones as verified in PostgreSQL.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Ask;
use crate::{
    accounts::proofs::{
        Verification,
        miss::{Miss, VERIFY_ATTEMPTS},
    },
    database::{Own, PostgresLink, Session, to_micros},
    events::NewEvent,
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// Marks the phones of all asks, and says what became of each. An ask that nothing explains is left out.
pub(in crate::accounts::proofs) async fn verify(
    link: PostgresLink,
    asks: Vec<Ask>,
    own: &mut Own,
) -> Result<Vec<(Ask, Verification)>, Unavailable> {
    link.bounded(async {
        let mut session = own.connection(&link).await?;
        let mut answered = Vec::with_capacity(asks.len());
        // Most often one round: a phone is asked for once in each, and again if its miss is not explained.
        let (mut asks, mut unexplained) = (asks, 0);
        while !asks.is_empty() && unexplained < VERIFY_ATTEMPTS {
            let mut seen = HashSet::new();
            let (round, later) = asks
                .into_iter()
                .partition(|ask: &Ask| seen.insert(ask.phone.clone()));
            let missed = mark(session.again(), round, &mut answered).await?;
            let open = explain(session.again(), missed, &mut answered).await?;
            unexplained += usize::from(!open.is_empty());
            asks = open.into_iter().chain(later).collect();
        }
        Ok(answered)
    })
    .await
}

/// Marks phones that differ, in one transaction. Gives back the asks that it missed.
async fn mark(
    session: Session<'_>,
    asks: Vec<Ask>,
    answered: &mut Vec<(Ask, Verification)>,
) -> Result<Vec<Ask>, sqlx::Error> {
    const SQL: &str = "SELECT phone, user_id FROM verify_phones($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    fn column<T>(asks: &[Ask], value: impl Fn(&NewEvent) -> T) -> Vec<T> {
        asks.iter().map(|ask| value(&ask.event)).collect()
    }
    let network = |event: &NewEvent| event.source.network.map(|network| network.coarse());
    let marked: Vec<(String, Uuid)> = sqlx::query_as(SQL)
        .bind(phones(&asks))
        .bind(claimants(&asks))
        .bind(column(&asks, |event| to_micros(event.at)))
        .bind(live_since(&asks))
        .bind(column(&asks, |event| event.id))
        .bind(column(&asks, |event| event.kind.name()))
        .bind(column(&asks, |event| event.source.actor.name()))
        .bind(column(&asks, |event| event.source.actor.id()))
        .bind(column(&asks, network))
        .bind(column(&asks, NewEvent::details))
        .fetch_all(session)
        .await?;
    let marked: HashMap<_, _> = marked
        .into_iter()
        .map(|(phone, user)| (PhoneNumber::from_stored(phone), user))
        .collect();
    let mut missed = Vec::new();
    for ask in asks {
        match marked.get(&ask.phone) {
            Some(user) => {
                ask.event.count();
                answered.push((ask, Verification::Verified(*user)));
            }
            None => missed.push(ask),
        }
    }
    Ok(missed)
}

/// Why asks were missed. Gives back those that nothing explains.
async fn explain(
    session: Session<'_>,
    asks: Vec<Ask>,
    answered: &mut Vec<(Ask, Verification)>,
) -> Result<Vec<Ask>, sqlx::Error> {
    const SQL: &str = "SELECT (SELECT u.id FROM users u WHERE u.phone = a.phone AND u.phone_verified), \
         (SELECT count(*) FROM (SELECT FROM users u WHERE u.phone = a.phone AND NOT u.phone_verified AND u.locked_at IS NULL LIMIT 2) c), \
         (SELECT count(*) FROM (SELECT FROM users u WHERE u.phone = a.phone AND NOT u.phone_verified AND u.locked_at IS NULL \
           AND COALESCE(u.phone_claimed_at, u.created_at) >= a.live_since LIMIT 2) c), \
         EXISTS (SELECT FROM users u WHERE u.id = a.claimant AND u.phone = a.phone AND (u.phone_verified OR u.locked_at IS NULL)) \
         FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS a (phone, claimant, live_since, place) ORDER BY a.place";
    if asks.is_empty() {
        return Ok(asks);
    }
    let misses: Vec<(Option<Uuid>, i64, i64, bool)> = sqlx::query_as(SQL)
        .bind(phones(&asks))
        .bind(claimants(&asks))
        .bind(live_since(&asks))
        .fetch_all(session)
        .await?;
    let mut open = Vec::new();
    for (ask, (verified_by, unverified, live, mine)) in asks.into_iter().zip(misses) {
        let miss = Miss {
            verified_by,
            unverified,
            live,
            mine,
        };
        match miss.explain(&ask.claimant) {
            Some(outcome) => answered.push((ask, outcome)),
            None => open.push(ask),
        }
    }
    Ok(open)
}

fn phones(asks: &[Ask]) -> Vec<String> {
    asks.iter().map(|ask| ask.phone.expose().to_owned()).collect()
}

fn live_since(asks: &[Ask]) -> Vec<DateTime<Utc>> {
    asks.iter().map(|ask| ask.live_since).collect()
}

/// The user of each, where one was signed in.
fn claimants(asks: &[Ask]) -> Vec<Option<Uuid>> {
    asks.iter().map(|ask| ask.claimant.user()).collect()
}
