//! The counts of this minute, and what waits to be written.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use metrics::counter;

use super::row::{RefusalKey, RefusalRow};
use crate::{clock::Clock, entropy::Entropy};

const SECONDS: i64 = 60;
/// Minutes whose rows wait while the database is down, where each is full; what comes then is dropped and counted.
const MINUTES_WAITING: usize = 10;

/// Counts refusals. Clones share the counts.
#[derive(Clone)]
pub struct RefusalTally(Option<Arc<Shared>>);

struct Shared {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Keys that a minute has, at most.
    room: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Minutes since 1970.
    minute: i64,
    of_minute: HashMap<RefusalKey, u32>,
    waiting: VecDeque<RefusalRow>,
}

impl RefusalTally {
    /// With room for so many keys a minute; with none it counts nothing.
    pub fn new(room: usize, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let shared = Shared {
            clock,
            entropy,
            room,
            counts: Mutex::default(),
        };
        Self((room > 0).then(|| Arc::new(shared)))
    }

    /// Counts a refusal, and waits for nothing.
    pub fn note(&self, key: RefusalKey) {
        let Some(shared) = &self.0 else {
            return;
        };
        let minute = minute_of(shared.clock.now());
        let mut counts = shared.lock();
        if minute != counts.minute {
            shared.close(&mut counts);
            counts.minute = minute;
        }
        let has_room = counts.of_minute.len() < shared.room || counts.of_minute.contains_key(&key);
        let key = match has_room {
            true => key,
            false => RefusalKey::others(key.kind),
        };
        let times = counts.of_minute.entry(key).or_default();
        *times = times.saturating_add(1);
    }

    /// The first rows that wait to be written, `limit` of them at most: of minutes that are over, or of all. They wait on
    /// until [`RefusalTally::written`].
    pub(super) fn due(&self, all: bool, limit: usize) -> Vec<RefusalRow> {
        let Some(shared) = &self.0 else {
            return Vec::new();
        };
        let minute = minute_of(shared.clock.now());
        let mut counts = shared.lock();
        if all || minute != counts.minute {
            shared.close(&mut counts);
        }
        counts.waiting.iter().take(limit).cloned().collect()
    }

    /// These were written.
    pub(super) fn written(&self, rows: &[RefusalRow]) {
        if let Some(shared) = &self.0 {
            let mut counts = shared.lock();
            counts
                .waiting
                .retain(|waiting| rows.iter().all(|row| row.id != waiting.id));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts of the minute become rows.
    fn close(&self, counts: &mut Counts) {
        let at = DateTime::from_timestamp(counts.minute * SECONDS, 0).unwrap_or_default();
        for (key, times) in std::mem::take(&mut counts.of_minute) {
            if counts.waiting.len() >= self.room * MINUTES_WAITING {
                counter!("ringback_refusals_dropped_total").increment(times.into());
                continue;
            }
            let id = self.entropy.row_id(at);
            counts.waiting.push_back(RefusalRow { id, at, key, times });
        }
    }
}

fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(SECONDS)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::IpAddr};

    use chrono::TimeDelta;

    use uuid::Uuid;

    use super::*;
    use crate::{clock::ManualClock, entropy::SystemEntropy, events::EventKind};

    fn tally(room: usize) -> (RefusalTally, ManualClock) {
        let clock = ManualClock::new(DateTime::from_timestamp(1_800_000_007, 0).unwrap());
        let tally = RefusalTally::new(room, Arc::new(clock.clone()), Arc::new(SystemEntropy));
        (tally, clock)
    }

    fn key(network: &str, reason: &str) -> RefusalKey {
        let client = network.parse::<IpAddr>().unwrap();
        RefusalKey::of_anyone(EventKind::RequestRefused, None, client.into(), reason)
    }

    /// How often each was counted, by network and reason.
    fn times(rows: &[RefusalRow]) -> BTreeMap<(String, String), u32> {
        let counted = rows.iter().map(|row| {
            let network = row.key.network.clone().unwrap_or_default();
            ((network, row.key.reason.to_string()), row.times)
        });
        counted.collect()
    }

    #[test]
    fn those_of_a_key_and_a_minute_are_one_row() {
        let (tally, clock) = tally(10);
        for last in 0..200_u8 {
            tally.note(key(&format!("203.0.113.{last}"), "login-per-ip"));
        }
        tally.note(key("203.0.114.1", "login-per-ip"));
        assert_eq!(tally.due(false, 10), [], "the minute isn't over");
        clock.advance(TimeDelta::seconds(60));
        tally.note(key("203.0.113.1", "login-per-ip"));
        let rows = tally.due(false, 10);
        let counted = times(&rows);
        let of = |network: &str| counted[&(network.to_owned(), "login-per-ip".to_owned())];
        assert_eq!(
            (of("203.0.113.0/24"), of("203.0.114.0/24"), rows.len()),
            (200, 1, 2)
        );
        assert_eq!(rows[0].at.timestamp() % 60, 0);
        // They wait until they are written.
        assert_eq!(tally.due(false, 10), rows);
        tally.written(&rows[..1]);
        assert_eq!(tally.due(false, 10), rows[1..]);
        tally.written(&rows);
        assert_eq!(tally.due(true, 10).len(), 1);
    }

    #[test]
    fn whose_it_was_keeps_refusals_apart() {
        let (tally, _) = tally(10);
        let client = "203.0.113.1".parse::<IpAddr>().unwrap().into();
        let user = Some(Uuid::from_u128(7));
        let kind = EventKind::LoginFailed;
        tally.note(RefusalKey::of_anyone(kind, user, client, "password"));
        tally.note(RefusalKey::of_anyone(kind, None, client, "password"));
        tally.note(RefusalKey::of_caller(kind, user, client, "password"));
        let rows = tally.due(true, 10);
        let mut by: Vec<_> = rows.iter().map(|row| (row.actor(), row.key.user)).collect();
        by.sort();
        assert_eq!(by, [("anyone", None), ("anyone", user), ("user", user)]);
    }

    #[test]
    fn a_flood_has_a_bound() {
        let (tally, clock) = tally(3);
        for network in 0..100_u8 {
            tally.note(key(&format!("203.0.{network}.1"), "login-per-ip"));
        }
        tally.note(key("203.0.0.1", "login-per-ip"));
        let rows = tally.due(true, 1000);
        let counted = times(&rows);
        assert_eq!(counted[&(String::new(), "others".to_owned())], 97);
        assert_eq!(
            counted[&("203.0.0.0/24".to_owned(), "login-per-ip".to_owned())],
            2
        );
        assert_eq!(rows.len(), 4);
        // A database that is down leaves so many rows waiting, and no more.
        for _ in 0..20 {
            clock.advance(TimeDelta::seconds(60));
            for network in 0..100_u8 {
                tally.note(key(&format!("203.0.{network}.1"), "login-per-ip"));
            }
        }
        assert_eq!(tally.due(true, 1000).len(), 30);
    }

    #[test]
    fn without_room_nothing_is_counted() {
        let (tally, _) = tally(0);
        tally.note(key("203.0.113.1", "login-per-ip"));
        assert_eq!(tally.due(true, 10), []);
    }
}
