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
}

impl Bucket {
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
/// For an address no more than one message is given back in this time.
pub const REFUND_PAUSE_US: i64 = DAY_US;

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

/// A message whose code was typed.
#[derive(Debug, Clone, Copy)]
pub struct Typed {
    /// Whether its address has the counter grow.
    pub is_new: bool,
    /// Whether it went out for a proof of work, where that lets a request pass over the burst.
    pub has_worked: bool,
}

/// The counter after the code of a message was typed: when it is empty, and what it has earned. See
/// [`ClusterCounters::refund`](super::ClusterCounters::refund).
pub fn refund(
    bucket: Option<Bucket>,
    growth: Growth,
    now_us: i64,
    emission_us: i64,
    burst: u32,
    grows_by: u32,
    typed: Typed,
) -> (i64, Growth) {
    let spent = bucket.map_or(now_us, |bucket| bucket.tat_at(now_us, emission_us).max(now_us));
    let full_at = now_us + emission_us * i64::from(burst + growth.at(now_us, grows_by));
    let earns = grows_by > 0 && typed.is_new;
    let over = spent - full_at;
    let tat = match (typed.has_worked && over > -emission_us, earns) {
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
    if !earns {
        return (tat.max(now_us), growth);
    }
    let overflow = (now_us - tat).max(0) / emission_us;
    (tat.max(now_us), growth.earn(overflow, now_us, burst, grows_by))
}

/// Decides about one request at `now_us`, microseconds since any epoch that `tat` shares.
///
/// A counter beyond what the bucket holds (the rule was cut down, the clock was set back) counts as full, so that
/// nobody waits longer than a full bucket takes. `emission_us` and `burst` are at least 1, and `burst * emission_us`
/// is at most 30 days.
pub fn decide(bucket: Option<Bucket>, now_us: i64, emission_us: i64, burst: u32) -> Decision {
    decide_units(bucket, now_us, emission_us, burst, 0, 1)
}

/// Decides about a request that costs so many times `emission_us`. With a proof of work it would find the burst larger by
/// `worked_by`: the bucket may hold so much more.
pub fn decide_units(
    bucket: Option<Bucket>,
    now_us: i64,
    emission_us: i64,
    burst: u32,
    worked_by: u32,
    units: u32,
) -> Decision {
    let cost_us = emission_us * i64::from(units);
    let full_at = now_us + emission_us * i64::from(burst);
    let most = full_at + emission_us * i64::from(worked_by);
    let tat = bucket.map_or(now_us, |bucket| {
        bucket.tat_at(now_us, emission_us).clamp(now_us, most)
    });
    let room = full_at - tat;
    if room < cost_us {
        return Decision::Refuse {
            retry_after_us: cost_us - room,
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
    let full_at = now_us + emission_us * i64::from(burst);
    let most = full_at + emission_us * i64::from(worked_by);
    let tat = bucket.map_or(now_us, |bucket| {
        bucket.tat_at(now_us, emission_us).clamp(now_us, most)
    });
    let room = full_at - tat;
    QuotaStatus {
        remaining: u32::try_from((room / emission_us).max(0)).unwrap_or(u32::MAX),
        wait_us: (emission_us * i64::from(units) - room).max(0),
        full_in_us: tat - now_us,
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(tat: i64) -> Option<Bucket> {
        Some(Bucket { tat, emission_us: 10 })
    }

    #[test]
    fn a_burst_passes_at_once_then_one_for_each_emission() {
        let (mut tat, now) = (None, 1_000_000);
        for left in [2, 1, 0] {
            let Decision::Allow { new_tat, remaining } = decide(tat, now, 10, 3) else {
                panic!("refused within the burst");
            };
            assert_eq!(remaining, left);
            tat = bucket(new_tat);
        }
        assert_eq!(decide(tat, now, 10, 3), Decision::Refuse { retry_after_us: 10 });
        assert_eq!(
            decide(tat, now + 9, 10, 3),
            Decision::Refuse { retry_after_us: 1 }
        );
        assert!(matches!(
            decide(tat, now + 10, 10, 3),
            Decision::Allow { remaining: 0, .. }
        ));
    }

    #[test]
    fn a_counter_from_a_larger_rule_counts_as_full_and_no_more() {
        assert_eq!(
            decide(bucket(1_000_000), 0, 10, 3),
            Decision::Refuse { retry_after_us: 10 }
        );
    }

    #[test]
    fn with_other_numbers_as_many_requests_are_spent_as_before() {
        // Five of five are spent at 12 minutes each; now it is eight, at 7.5.
        let minute = 60_000_000;
        let spent = Bucket {
            tat: 60 * minute,
            emission_us: 12 * minute,
        };
        assert_eq!(
            spent.tat_at(0, 7 * minute + minute / 2),
            5 * (7 * minute + minute / 2)
        );
        let Decision::Allow { remaining, .. } = decide(Some(spent), 0, 7 * minute + minute / 2, 8) else {
            panic!("there was room for three");
        };
        assert_eq!(remaining, 2);
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let Decision::Allow { new_tat, .. } = decide(bucket(20), 0, 10, 3) else {
            panic!("there was room for one");
        };
        assert_eq!(give_back(bucket(new_tat).unwrap(), 0, 10), Some(20));
        assert_eq!(give_back(bucket(10).unwrap(), 0, 10), None);
    }

    #[test]
    fn a_typed_code_gives_its_message_back_and_earns_room() {
        let spent = |messages: i64| {
            Some(Bucket {
                tat: messages * 10,
                emission_us: 10,
            })
        };
        let typed = |is_new| Typed {
            is_new,
            has_worked: false,
        };
        let refund =
            |spent, growth, grows_by, is_new| refund(spent, growth, 0, 10, 2, grows_by, typed(is_new));
        let plain = refund(spent(3), Growth::default(), 0, true);
        assert_eq!(plain, (20, Growth::default()));
        assert_eq!(refund(None, Growth::default(), 0, true).0, 0);
        // Two back as long as there is something spent, and room for the rest; but over the burst no free room is earned.
        let grown = |by| Growth {
            by,
            until_us: GROWN_FOR_US,
        };
        let yesterday = |by| Growth {
            by,
            until_us: GROWN_FOR_US - DAY_US,
        };
        let nothing = Growth::default();
        assert_eq!(refund(spent(2), nothing, 5, true), (0, nothing));
        assert_eq!(refund(spent(3), nothing, 5, true), (20, nothing));
        assert_eq!(refund(spent(4), nothing, 5, true), (20, nothing));
        assert_eq!(refund(spent(1), nothing, 5, true), (0, grown(1)));
        assert_eq!(refund(spent(1), yesterday(4), 5, true), (0, grown(5)));
        assert_eq!(
            refund(spent(1), grown(4), 5, true),
            (0, grown(4)),
            "not twice at once"
        );
        assert_eq!(
            refund(spent(1), yesterday(5), 5, true),
            (0, grown(5)),
            "and no further"
        );
        assert_eq!(
            refund(spent(1), yesterday(4), 5, false),
            (0, yesterday(4)),
            "known already"
        );
        assert_eq!(grown(5).at(0, 3), 3, "a rule that is cut down has it at once");
        assert_eq!(grown(5).at(GROWN_FOR_US, 5), 0, "forgotten");
    }

    /// Two users of one block prove work at the same time, and both type their codes: neither leaves free room.
    #[test]
    fn what_a_proof_of_work_let_out_gives_back_no_free_room() {
        let typed = Typed {
            is_new: true,
            has_worked: true,
        };
        let after = |spent| {
            let spent = Some(Bucket {
                tat: spent,
                emission_us: 320,
            });
            refund(spent, Growth::default(), 0, 320, 2, 5, typed).0
        };
        // The burst is full at 640.
        assert_eq!(after(7 * 320), 3 * 320, "who types makes up for three who don't");
        assert_eq!((after(4 * 320), after(3 * 320)), (635, 635));
        assert_eq!((after(640), after(635)), (635, 630));
        assert_eq!(after(900), 575, "what there was below the burst is kept");
        assert_eq!(
            after(320),
            0,
            "another rule asked for the work: there was room here"
        );
    }

    #[test]
    fn a_request_of_several_units_costs_them_all() {
        let Decision::Allow { new_tat, remaining } = decide_units(None, 0, 10, 7, 0, 5) else {
            panic!("there was room for seven");
        };
        assert_eq!((new_tat, remaining), (50, 2));
        let refused = decide_units(bucket(50), 0, 10, 7, 0, 5);
        assert_eq!(refused, Decision::Refuse { retry_after_us: 30 });
    }

    proptest! {
        #[test]
        fn no_more_than_the_burst_and_what_drained_is_ever_admitted(
            emission in 1_i64..1000,
            burst in 1_u32..20,
            steps in prop::collection::vec(0_i64..3000, 1..200),
        ) {
            let (mut now, mut tat, mut admitted) = (0, None, Vec::new());
            for step in steps {
                now += step;
                match decide(tat, now, emission, burst) {
                    Decision::Allow { new_tat, .. } => {
                        prop_assert!(look(tat, now, emission, burst).remaining > 0);
                        tat = Some(Bucket { tat: new_tat, emission_us: emission });
                        admitted.push(now);
                    }
                    Decision::Refuse { retry_after_us } => {
                        let standing = look(tat, now, emission, burst);
                        prop_assert_eq!((standing.remaining, standing.wait_us), (0, retry_after_us));
                        let full = look(tat, now + standing.full_in_us, emission, burst);
                        prop_assert_eq!((full.remaining, full.full_in_us), (burst, 0));
                        // The wait is exact: not a microsecond earlier, and then it passes.
                        let then = now + retry_after_us;
                        let early = decide(tat, then - 1, emission, burst);
                        prop_assert_eq!(early, Decision::Refuse { retry_after_us: 1 });
                        let punctual = decide(tat, then, emission, burst);
                        let allowed = matches!(punctual, Decision::Allow { .. });
                        prop_assert!(allowed);
                    }
                }
            }
            // In every window, not only from the start.
            for (first, &from) in admitted.iter().enumerate() {
                for (last, &to) in admitted.iter().enumerate().skip(first) {
                    let count = i64::try_from(last - first + 1).unwrap();
                    prop_assert!(count <= i64::from(burst) + (to - from) / emission);
                }
            }
        }
    }
}
