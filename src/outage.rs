//! What is down is said once, then each minute with a count, and once when it is over: a line for each request that
//! meets it would bury all others.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::unavailable::Unavailable;

/// How often a failure that goes on is said.
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
            News::Over(past) => tracing::warn!(
                part,
                failures = past.failures,
                lasted_s = past.lasted.as_secs(),
                "a part of the service is back, or nobody asks for it"
            ),
        }
    }
}

fn outages() -> MutexGuard<'static, Outages> {
    OUTAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failure that comes again and again, and is said once, then each minute with a count, and once when it is over.
pub struct Spell {
    began: Instant,
    last: Instant,
    said: Instant,
    failures: u64,
    failures_said: u64,
}

/// A spell that is over.
#[derive(Debug, PartialEq, Eq)]
pub struct PastSpell {
    pub failures: u64,
    pub lasted: Duration,
}

impl Spell {
    /// The first failure, which is said.
    pub const fn begin(now: Instant) -> Self {
        Self {
            began: now,
            last: now,
            said: now,
            failures: 1,
            failures_said: 1,
        }
    }

    pub const fn failed(&mut self, now: Instant) {
        self.last = now;
        self.failures += 1;
    }

    /// How often it failed since it was last said, if it is to be said again.
    pub fn goes_on(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.said) < EVERY {
            return None;
        }
        let failures = self.failures - self.failures_said;
        (self.said, self.failures_said) = (now, self.failures);
        Some(failures)
    }

    /// All of it, if nothing failed lately.
    pub fn over(&self, now: Instant) -> Option<PastSpell> {
        let is_over = now.saturating_duration_since(self.last) >= QUIET;
        is_over.then(|| PastSpell {
            failures: self.failures,
            lasted: self.last - self.began,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    /// So many failures since it was last said.
    GoesOn {
        failures: u64,
    },
    Over(PastSpell),
}

/// The parts that are down. As many as there are parts.
#[derive(Default)]
struct Outages(BTreeMap<&'static str, Spell>);

impl Outages {
    /// Whether this is the first failure of an outage.
    fn note(&mut self, part: &'static str, now: Instant) -> bool {
        match self.0.get_mut(part) {
            Some(spell) => {
                spell.failed(now);
                false
            }
            None => self.0.insert(part, Spell::begin(now)).is_none(),
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<(&'static str, News)> {
        let mut news = Vec::new();
        self.0.retain(|part, spell| {
            let over = spell.over(now);
            let goes_on = over.is_none();
            let said = match over {
                Some(past) => Some(News::Over(past)),
                None => spell.goes_on(now).map(|failures| News::GoesOn { failures }),
            };
            news.extend(said.map(|said| (*part, said)));
            goes_on
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
                News::Over(PastSpell {
                    failures: 131,
                    lasted
                })
            )]
        );
        assert_eq!(outages.tick(at(161)).len(), 1, "the database's single failure");
        assert_eq!(outages.tick(at(500)), []);
        assert!(outages.note("redis", at(501)), "a new one");
    }
}
