//! What is down is said once, then each minute with a count, and once when it is over: a line for each request that
//! meets it would bury all others.

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::unavailable::{Part, Unavailable};

/// How often a failure that goes on is said.
const EVERY: Duration = Duration::from_secs(60);
/// It is over when nothing has met it for so long, and something worked since.
const QUIET: Duration = Duration::from_secs(30);

/// Whether anything is down: all that [`answered`] looks at in good times.
static ANY: AtomicBool = AtomicBool::new(false);
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
    ANY.store(true, Ordering::Relaxed);
    if outages().note(part, Instant::now()) {
        tracing::warn!(part, cause = %unavailable.cause, "a part of the service is down");
    }
}

/// Notes that a part did its work. Costs next to nothing while nothing is down.
pub fn answered(part: Part) {
    if ANY.load(Ordering::Relaxed) {
        outages().answered(part.name(), Instant::now());
    }
}

/// Says what goes on, and what is over. To be called every second or so.
pub fn tick() {
    let news = {
        let mut outages = outages();
        let news = outages.tick(Instant::now());
        ANY.store(!outages.0.is_empty(), Ordering::Relaxed);
        news
    };
    for (part, news) in news {
        match news {
            News::GoesOn { failures } => {
                tracing::warn!(part, failures, "a part of the service is still down")
            }
            News::Over(past) => tracing::warn!(
                part,
                failures = past.failures,
                lasted_s = past.lasted.as_secs(),
                "a part of the service is back"
            ),
            News::Unasked { failures } => tracing::warn!(
                part,
                failures,
                "a part of the service was down, and nothing has asked for it since"
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
    /// When something worked for the first time since the last failure.
    worked: Option<Instant>,
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
            worked: None,
            failures: 1,
            failures_said: 1,
        }
    }

    pub const fn failed(&mut self, now: Instant) {
        self.last = now;
        self.worked = None;
        self.failures += 1;
    }

    /// Something worked: if nothing fails from now on, it ended here.
    pub fn worked(&mut self, now: Instant) {
        self.worked.get_or_insert(now);
    }

    fn is_quiet(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= QUIET
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

    /// All of it, if nothing failed lately, and something worked. It lasted from the first failure until then.
    pub fn over(&self, now: Instant) -> Option<PastSpell> {
        let ended = self.worked.filter(|_| self.is_quiet(now))?;
        Some(PastSpell {
            failures: self.failures,
            lasted: ended - self.began,
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
    /// Nothing has failed for long, and nothing has worked: whether it is over, nobody knows.
    Unasked {
        failures: u64,
    },
}

/// The parts that are down, as far as is known. As many as there are parts.
#[derive(Default)]
struct Outages(BTreeMap<&'static str, Outage>);

struct Outage {
    spell: Spell,
    /// It was said that nothing has asked for it since.
    unasked: bool,
}

impl Outage {
    const fn begin(now: Instant) -> Self {
        Self {
            spell: Spell::begin(now),
            unasked: false,
        }
    }

    fn news(&mut self, now: Instant) -> Option<News> {
        if let Some(past) = self.spell.over(now) {
            return Some(News::Over(past));
        }
        if !self.spell.is_quiet(now) {
            return self.spell.goes_on(now).map(|failures| News::GoesOn { failures });
        }
        let failures = self.spell.failures;
        let is_known = std::mem::replace(&mut self.unasked, true) || self.spell.worked.is_some();
        (!is_known).then_some(News::Unasked { failures })
    }
}

impl Outages {
    /// Whether this is the first failure of an outage.
    fn note(&mut self, part: &'static str, now: Instant) -> bool {
        match self.0.get_mut(part) {
            Some(outage) if !outage.unasked => {
                outage.spell.failed(now);
                false
            }
            _ => {
                self.0.insert(part, Outage::begin(now));
                true
            }
        }
    }

    fn answered(&mut self, part: &'static str, now: Instant) {
        if let Some(outage) = self.0.get_mut(part) {
            outage.spell.worked(now);
        }
    }

    fn tick(&mut self, now: Instant) -> Vec<(&'static str, News)> {
        let mut news = Vec::new();
        self.0.retain(|part, outage| {
            let said = outage.news(now);
            let goes_on = !matches!(said, Some(News::Over(_)));
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
        outages.answered("redis", at(132));
        outages.answered("redis", at(150));
        assert_eq!(outages.tick(at(159)), []);
        let lasted = Duration::from_secs(132);
        let failures = 131;
        assert_eq!(
            outages.tick(at(160)),
            [("redis", News::Over(PastSpell { failures, lasted }))]
        );
        assert!(outages.note("redis", at(501)), "a new one");
    }

    #[test]
    fn nothing_is_back_before_it_has_worked() {
        let (mut outages, start) = (Outages::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(outages.note("database", at(0)));
        outages.answered("database", at(1));
        assert!(!outages.note("database", at(2)));
        assert_eq!(outages.tick(at(31)), []);
        assert_eq!(
            outages.tick(at(32)),
            [("database", News::Unasked { failures: 2 })]
        );
        assert_eq!(outages.tick(at(500)), [], "it is said once");
        assert!(
            outages.note("database", at(501)),
            "it is down, for all that is known"
        );
        outages.answered("database", at(510));
        let (failures, lasted) = (1, Duration::from_secs(9));
        assert_eq!(
            outages.tick(at(531)),
            [("database", News::Over(PastSpell { failures, lasted }))]
        );
        // One that is asked for at last.
        assert!(outages.note("database", at(600)));
        assert_eq!(outages.tick(at(630)).len(), 1, "nothing has asked");
        outages.answered("database", at(700));
        let lasted = Duration::from_secs(100);
        assert_eq!(
            outages.tick(at(701)),
            [("database", News::Over(PastSpell { failures, lasted }))]
        );
    }
}
