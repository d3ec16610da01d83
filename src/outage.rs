//! What is down is said once, then each minute with a count, and once when it is over: a line for each request that
//! meets it would bury all others.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::unavailable::Unavailable;

/// How often an outage that goes on is said.
const EVERY: Duration = Duration::from_secs(60);
/// It is over when nothing has met it for so long.
const QUIET: Duration = Duration::from_secs(30);

static OUTAGES: LazyLock<Mutex<Outages>> = LazyLock::new(Mutex::default);

/// Notes that a part did not answer, and says so if it is the first time. One that is full does what it should.
///
/// Whoever works in the background notes what it meets here as well, and says nothing of its own: each tries again by
/// itself, many times a minute.
pub fn note(unavailable: &Unavailable) {
    if unavailable.is_full {
        return;
    }
    let part = unavailable.part.name();
    if outages().note(part, Instant::now()) {
        tracing::warn!(part, cause = %unavailable.cause, "a part of the service is down");
    }
}

/// Says what goes on, and what is over. To be called every second or so.
pub fn tick() {
    for (part, news) in outages().tick(Instant::now()) {
        match news {
            News::GoesOn { failures } => {
                tracing::warn!(part, failures, "a part of the service is still down")
            }
            News::Over { failures, lasted } => tracing::warn!(
                part,
                failures,
                lasted_s = lasted.as_secs(),
                "a part of the service is back, or nobody asks for it"
            ),
        }
    }
}

fn outages() -> MutexGuard<'static, Outages> {
    OUTAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    /// So many failures since it was last said.
    GoesOn { failures: u64 },
    /// So many in all.
    Over { failures: u64, lasted: Duration },
}

struct Outage {
    began: Instant,
    last: Instant,
    said: Instant,
    failures: u64,
    failures_said: u64,
}

/// The parts that are down. As many as there are parts.
#[derive(Default)]
struct Outages(BTreeMap<&'static str, Outage>);

impl Outages {
    /// Whether this is the first failure of an outage.
    fn note(&mut self, part: &'static str, now: Instant) -> bool {
        let is_new = !self.0.contains_key(part);
        let outage = self.0.entry(part).or_insert(Outage {
            began: now,
            last: now,
            said: now,
            failures: 0,
            failures_said: 1,
        });
        outage.last = now;
        outage.failures += 1;
        is_new
    }

    fn tick(&mut self, now: Instant) -> Vec<(&'static str, News)> {
        let mut news = Vec::new();
        self.0.retain(|part, outage| {
            if now - outage.last >= QUIET {
                let (failures, lasted) = (outage.failures, outage.last - outage.began);
                news.push((*part, News::Over { failures, lasted }));
                return false;
            }
            if now - outage.said >= EVERY {
                let failures = outage.failures - outage.failures_said;
                (outage.said, outage.failures_said) = (now, outage.failures);
                news.push((*part, News::GoesOn { failures }));
            }
            true
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_said_once_each_minute_and_at_its_end() {
        let (mut outages, start) = (Outages::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(outages.note("redis", at(0)));
        for second in 1..=130 {
            assert!(!outages.note("redis", at(second)), "said already");
            let news = outages.tick(at(second));
            let expected = match second {
                60 => vec![("redis", News::GoesOn { failures: 60 })],
                120 => vec![("redis", News::GoesOn { failures: 60 })],
                _ => vec![],
            };
            assert_eq!(news, expected, "{second}");
        }
        assert!(
            outages.note("database", at(131)),
            "another part is another outage"
        );
        assert_eq!(outages.tick(at(159)), []);
        let lasted = Duration::from_secs(130);
        assert_eq!(
            outages.tick(at(160)),
            [(
                "redis",
                News::Over {
                    failures: 131,
                    lasted
                }
            )]
        );
        assert_eq!(outages.tick(at(161)).len(), 1, "the database's single failure");
        assert_eq!(outages.tick(at(500)), []);
        assert!(outages.note("redis", at(501)), "a new one");
    }
}
