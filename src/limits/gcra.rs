//! The generic cell rate algorithm (ITU-T I.371, annex A), in integer microseconds.
//!
//! A counter is one number, the *theoretical arrival time*: when the bucket will be empty again. Each request costs
//! `emission_us`; a bucket holds `burst` of them and drains at one microsecond a microsecond. `gcra.lua` is the same
//! function where Redis counts, `governor` where this process does; tests hold the three to one behaviour.

/// What the algorithm says to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may pass, if `new_tat` replaces the counter.
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

/// Decides about one request at `now_us`, microseconds since any epoch that `tat` shares.
///
/// A counter beyond what the bucket holds (the rule was cut down, the clock was set back) counts as full, so that
/// nobody waits longer than a full bucket takes. `emission_us` and `burst` are at least 1, and `burst * emission_us`
/// is at most 30 days.
pub fn decide(tat: Option<i64>, now_us: i64, emission_us: i64, burst: u32) -> Decision {
    let full_at = now_us + emission_us * i64::from(burst);
    let tat = tat.map_or(now_us, |tat| tat.clamp(now_us, full_at));
    let room = full_at - tat;
    if room < emission_us {
        return Decision::Refuse {
            retry_after_us: emission_us - room,
        };
    }
    Decision::Allow {
        new_tat: tat + emission_us,
        remaining: u32::try_from((room - emission_us) / emission_us).unwrap_or(u32::MAX),
    }
}

/// The counter after one request is given back; `None` when it is empty then.
///
/// While the request was in, an otherwise empty bucket drained it: after a refund the next one may come earlier by
/// that time, a round trip at most.
pub fn give_back(tat: i64, now_us: i64, emission_us: i64) -> Option<i64> {
    Some(tat - emission_us).filter(|&tat| tat > now_us)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_at_once_then_one_for_each_emission() {
        let (mut tat, now) = (None, 1_000_000);
        for left in [2, 1, 0] {
            let Decision::Allow { new_tat, remaining } = decide(tat, now, 10, 3) else {
                panic!("refused within the burst");
            };
            assert_eq!(remaining, left);
            tat = Some(new_tat);
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
            decide(Some(1_000_000), 0, 10, 3),
            Decision::Refuse { retry_after_us: 10 }
        );
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let Decision::Allow { new_tat, .. } = decide(Some(20), 0, 10, 3) else {
            panic!("there was room for one");
        };
        assert_eq!(give_back(new_tat, 0, 10), Some(20));
        assert_eq!(give_back(10, 0, 10), None);
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
                        tat = Some(new_tat);
                        admitted.push(now);
                    }
                    Decision::Refuse { retry_after_us } => {
                        // The wait is exact: not a microsecond earlier, and then it passes.
                        let then = now + retry_after_us;
                        let early = decide(tat, then - 1, emission, burst);
                        prop_assert!(matches!(early, Decision::Refuse { .. }), "early");
                        let punctual = decide(tat, then, emission, burst);
                        prop_assert!(matches!(punctual, Decision::Allow { .. }), "punctual");
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
