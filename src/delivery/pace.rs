//! How fast a provider is called: at most so many calls in any one second. No I/O, time as a value.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Remembers the calls of the last second, as many as there may be: exact, and bounded by what it bounds.
#[derive(Debug)]
pub(super) struct Pace {
    /// 0 is no bound.
    max_per_second: usize,
    calls: VecDeque<Instant>,
}

impl Pace {
    pub fn new(max_per_second: u32) -> Self {
        Self {
            max_per_second: usize::try_from(max_per_second).unwrap_or(usize::MAX),
            calls: VecDeque::new(),
        }
    }

    /// When there is room for a call; none where there is room now.
    pub fn full_until(&self, now: Instant) -> Option<Instant> {
        if self.max_per_second == 0 || self.calls.len() < self.max_per_second {
            return None;
        }
        let until = *self.calls.front()? + SECOND;
        (until > now).then_some(until)
    }

    /// Counts a call.
    pub fn begin(&mut self, now: Instant) {
        if self.max_per_second > 0 {
            if self.calls.len() == self.max_per_second {
                self.calls.pop_front();
            }
            self.calls.push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_calls_than_it_may() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(3);
        for millis in [0, 100, 900] {
            assert_eq!(pace.full_until(at(millis)), None);
            pace.begin(at(millis));
        }
        assert_eq!(pace.full_until(at(950)), Some(at(1000)));
        assert_eq!(pace.full_until(at(1000)), None);
        pace.begin(at(1000));
        assert_eq!(
            pace.full_until(at(1000)),
            Some(at(1100)),
            "two of the last second are left"
        );
        assert_eq!(pace.full_until(at(5000)), None);
    }

    #[test]
    fn no_bound_remembers_nothing() {
        let mut pace = Pace::new(0);
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(pace.full_until(now), None);
            pace.begin(now);
        }
        assert!(pace.calls.is_empty());
    }
}
