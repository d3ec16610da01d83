//! The generic cell rate algorithm (ITU-T I.371, annex A), in integer microseconds.
//!
//! A counter is one number, the *theoretical arrival time*: when the bucket will be empty again. Each request costs
//! `emission_us`; a bucket holds `burst` of them and drains at one microsecond a microsecond. `gcra.lua` is the same
//! function where Redis counts, `governor` where this process does; tests hold the three to one behaviour.
//!
//! Beside the time a counter keeps the cost that it was counted in: when a rule's numbers change, what was spent
//! stays the same number of requests. Who had 5 of 5, and now may have 8, has 3 left.

/// A counter as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it will be empty, in microseconds.
    pub tat: i64,
    /// What a request cost when `tat` was computed, in microseconds.
    pub emission_us: i64,
    /// So many more requests with a proof of work it may hold than its rule says, until it is empty.
    pub raised: u32,
}

impl Bucket {
    /// One whose ceiling is that of its rule.
    pub fn new(tat: i64, emission_us: i64) -> Self {
        Self {
            tat,
            emission_us,
            raised: 0,
        }
    }

    /// By how much its ceiling is raised at `now_us`.
    pub fn raised_at(self, now_us: i64) -> u32 {
        if self.tat > now_us { self.raised } else { 0 }
    }

    /// When it will be empty if a request costs `emission_us`. To the nearest microsecond, in doubles as Lua has them.
    pub fn tat_at(self, now_us: i64, emission_us: i64) -> i64 {
        if self.emission_us == emission_us || self.tat <= now_us {
            return self.tat;
        }
        let filled = (self.tat - now_us) as f64 * emission_us as f64 / self.emission_us as f64;
        now_us + (filled + 0.5).floor() as i64
    }
}

/// What the algorithm says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may pass, if `new_tat` and the cost replace the counter.
    Allow {
        new_tat: i64,
        /// Requests that may follow at once.
        remaining: u32,
    },
    /// It may not, and the counter stays as it is.
    Refuse {
        /// How long until one may.
        retry_after_us: i64,
    },
}

/// What a counter has earned by codes that were typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// By how much its burst is larger.
    pub by: u32,
    /// Until when, in microseconds.
    pub until_us: i64,
}

const DAY_US: i64 = 24 * 3600 * 1_000_000;
/// How long a burst stays larger after it has grown last; an address counts anew for it once in this time.
pub const GROWN_FOR_US: i64 = 7 * DAY_US;
/// For an address no more than one message is given back in this time: once a day for who types a code every day, now earlier, now later.
pub const REFUND_PAUSE_US: i64 = 20 * 3600 * 1_000_000;

impl Growth {
    /// By how much the burst is larger at `now_us`, where it may be `grows_by` at most.
    pub fn at(self, now_us: i64, grows_by: u32) -> u32 {
        if self.until_us > now_us {
            self.by.min(grows_by)
        } else {
            0
        }
    }

    /// What it is when so many messages were given back that the bucket has no room for: in a day it grows by no more than
    /// the burst was, so that trust takes days.
    fn earn(self, overflow: i64, now_us: i64, burst: u32, grows_by: u32) -> Self {
        let by = self.at(now_us, grows_by);
        let allowed = match by {
            0 => 1,
            // In doubles, as Lua has them.
            _ => {
                let since_us = now_us - self.until_us + GROWN_FOR_US;
                (f64::from(burst.saturating_add(by)) * since_us as f64 / DAY_US as f64).floor() as i64
            }
        };
        let earned = overflow.min(allowed).clamp(0, i64::from(grows_by - by));
        if earned == 0 && by < grows_by {
            return self;
        }
        Self {
            by: by + u32::try_from(earned).unwrap_or_default(),
            until_us: now_us + GROWN_FOR_US,
        }
    }
}

/// So many messages over the burst are made up for by the typed code of one that a proof of work let out: its own, and some whose
/// codes nobody types.
const WORKED_EARNS: i64 = 4;
/// Such a code leaves room below the burst as well, but a small part of it: a wide budget that somebody has emptied recovers soon,
/// and in a block of numbers there is next to nothing to take for who sits in it.
const WORKED_LEAVES: i64 = 128;
/// And it raises the ceiling by one, up to so many: where nobody could ask any more, nobody would type a code either, and time alone
/// would make room. Whoever types no codes gets nothing of it.
const WORKED_RAISES: u32 = 4;

/// A message whose code was typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed {
    /// Whether it makes up for one whose code nobody types.
    pub earns: bool,
    /// Whether its address has the counter grow, if it earns.
    pub is_new: bool,
    /// Whether it went out for a proof of work, where that lets a request pass over the burst.
    pub has_worked: bool,
}

/// The counter after the code of a message was typed, and what it has earned. See
/// [`ClusterCounters::refund`](super::ClusterCounters::refund).
pub fn refund(
    bucket: Option<Bucket>,
    growth: Growth,
    now_us: i64,
    emission_us: i64,
    burst: u32,
    grows_by: u32,
    typed: Typed,
) -> (Bucket, Growth) {
    let spent = bucket.map_or(now_us, |bucket| bucket.tat_at(now_us, emission_us).max(now_us));
    let full_at = now_us + emission_us * i64::from(burst + growth.at(now_us, grows_by));
    let earns = grows_by > 0 && typed.earns;
    let over = spent - full_at;
    let is_over = typed.has_worked && over > -emission_us;
    let tat = match (is_over, earns) {
        // It makes room for the next of its kind and hardly for others: free room would go to whoever has emptied the bucket.
        (true, true) => {
            let owed = (over.max(0) + emission_us - 1) / emission_us;
            let tat = spent - emission_us * owed.min(WORKED_EARNS);
            let left = (emission_us * i64::from(burst) / WORKED_LEAVES).min(emission_us);
            if tat <= full_at { tat - left } else { tat }
        }
        (true, false) => spent - over.clamp(0, emission_us),
        // Others have worked meanwhile: no more is earned than room for the next of these.
        (false, true) if over > 0 => (spent - 2 * emission_us).max((spent - emission_us).min(full_at)),
        (false, true) => spent - 2 * emission_us,
        (false, false) => spent - emission_us,
    };
    let raised = bucket.map_or(0, |bucket| bucket.raised_at(now_us));
    let raised = match is_over && earns {
        true => (raised + 1).min(WORKED_RAISES),
        false => raised,
    };
    let overflow = (now_us - tat).max(0) / emission_us;
    let bucket = Bucket {
        tat: tat.max(now_us),
        emission_us,
        raised,
    };
    match earns && typed.is_new {
        true => (bucket, growth.earn(overflow, now_us, burst, grows_by)),
        false => (bucket, growth),
    }
}

/// Decides about one request at `now_us`, microseconds since any epoch that `tat` shares.
///
/// A counter beyond what the bucket holds (the rule was cut down, the clock was set back) counts as full, so that
/// nobody waits longer than a full bucket takes. `emission_us` and `burst` are at least 1, and `burst * emission_us`
/// is at most 30 days.
pub fn decide(bucket: Option<Bucket>, now_us: i64, emission_us: i64, burst: u32) -> Decision {
    decide_units(bucket, now_us, emission_us, burst, WorkRoom::default(), 1)
}

/// What a proof of work does for a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkRoom {
    /// By how much the burst would be larger with one: the bucket may hold so much more.
    pub by: u32,
    /// Whether it has brought one. Then the burst is the larger one already, and what the ceiling is raised by is its own.
    pub is_given: bool,
}

/// Decides about a request that costs so many times `emission_us`. Who would pass with a proof of work because the ceiling is
/// raised is told to wait for less, no longer than who would pass below the ceiling.
pub fn decide_units(
    bucket: Option<Bucket>,
    now_us: i64,
    emission_us: i64,
    burst: u32,
    work: WorkRoom,
    units: u32,
) -> Decision {
    let cost_us = emission_us * i64::from(units);
    let raised_us = emission_us * i64::from(bucket.map_or(0, |bucket| bucket.raised_at(now_us)));
    let (given_us, asked_us) = if work.is_given {
        (raised_us, 0)
    } else {
        (0, raised_us)
    };
    let full_at = now_us + emission_us * i64::from(burst) + given_us;
    let most = full_at + emission_us * i64::from(work.by) + asked_us;
    let tat = bucket.map_or(now_us, |bucket| {
        bucket.tat_at(now_us, emission_us).clamp(now_us, most)
    });
    let room = full_at - tat;
    if room < cost_us {
        return Decision::Refuse {
            retry_after_us: (cost_us - room - asked_us).max(1),
        };
    }
    Decision::Allow {
        new_tat: tat + cost_us,
        remaining: u32::try_from((room - cost_us) / emission_us).unwrap_or(u32::MAX),
    }
}

/// How a counter stands, with nothing spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaStatus {
    /// Requests that may come at once.
    pub remaining: u32,
    /// How long until one may, in microseconds; 0 if one may now.
    pub wait_us: i64,
    /// How long until all of the burst may come at once again, in microseconds.
    pub full_in_us: i64,
    /// How much longer the wait may be for who passes with a proof of work, because the ceiling is raised, in microseconds.
    pub raised_us: i64,
}

/// What [`decide`] would go by.
pub fn look(bucket: Option<Bucket>, now_us: i64, emission_us: i64, burst: u32) -> QuotaStatus {
    look_units(bucket, now_us, emission_us, burst, 0, 1)
}

/// What [`decide_units`] would go by.
pub fn look_units(
    bucket: Option<Bucket>,
    now_us: i64,
    emission_us: i64,
    burst: u32,
    worked_by: u32,
    units: u32,
) -> QuotaStatus {
    let raised_us = emission_us * i64::from(bucket.map_or(0, |bucket| bucket.raised_at(now_us)));
    let full_at = now_us + emission_us * i64::from(burst);
    let most = full_at + emission_us * i64::from(worked_by) + raised_us;
    let tat = bucket.map_or(now_us, |bucket| {
        bucket.tat_at(now_us, emission_us).clamp(now_us, most)
    });
    let room = full_at - tat;
    QuotaStatus {
        remaining: u32::try_from((room / emission_us).max(0)).unwrap_or(u32::MAX),
        wait_us: (emission_us * i64::from(units) - room).max(0),
        full_in_us: tat - now_us,
        raised_us,
    }
}

/// The counter after one request is given back; `None` when it is empty then.
///
/// While the request was in, an otherwise empty bucket drained it, and that time isn't taken back: the next one may
/// come earlier by a round trip. Under an endless flood of refused requests that adds up, to no more requests than the
/// flood has on their way at once.
pub fn give_back(bucket: Bucket, now_us: i64, emission_us: i64) -> Option<i64> {
    Some(bucket.tat_at(now_us, emission_us) - emission_us).filter(|&tat| tat > now_us)
}

#[cfg(test)]
#[path = "gcra_tests.rs"]
mod tests;
