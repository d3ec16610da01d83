//! Up to where the table of events is settled, by PostgreSQL's snapshots.
//!
//! An event gets its place from a sequence, within its transaction, which may commit later than one with a higher place. The
//! default of the column sees to it that a transaction has its number before it takes a place. So: read how far the sequence
//! is; then read which number the next transaction gets; once no transaction with a lower number is running, every place up
//! to there is taken or never will be.

/// What one look at the database tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// How far the sequence is.
    pub last: i64,
    /// The lowest number of a transaction that is running.
    pub oldest: i64,
    /// The number that the next one gets.
    pub next: i64,
}

/// What several looks tell together.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    settled: i64,
    /// How far the sequence was, and the next transaction's number at a later look.
    sample: Option<(i64, Option<i64>)>,
}

impl Horizon {
    /// How far it is settled.
    pub fn settled(&self) -> i64 {
        self.settled
    }

    /// Takes a look into account; whether a further one at once may tell more.
    pub fn take(&mut self, look: Look) -> bool {
        let (last, next) = match self.sample {
            None if look.last <= self.settled => return false,
            None => {
                self.sample = Some((look.last, None));
                return true;
            }
            Some((last, next)) => (last, next.unwrap_or(look.next)),
        };
        if look.oldest < next {
            self.sample = Some((last, Some(next)));
            return false;
        }
        self.settled = self.settled.max(last);
        self.sample = None;
        look.last > self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(last: i64, oldest: i64, next: i64) -> Look {
        Look { last, oldest, next }
    }

    #[test]
    fn a_quiet_table_is_settled_by_two_looks() {
        let mut horizon = Horizon::default();
        assert!(horizon.take(look(7, 100, 100)));
        assert_eq!(horizon.settled(), 0);
        assert!(!horizon.take(look(7, 100, 100)));
        assert_eq!(horizon.settled(), 7);
        assert!(!horizon.take(look(7, 100, 100)));
    }

    #[test]
    fn a_transaction_that_is_under_way_is_waited_for() {
        let mut horizon = Horizon::default();
        horizon.take(look(7, 90, 100));
        // Number 90 may have a place up to 7; what begins later has not.
        assert!(!horizon.take(look(9, 90, 101)));
        assert!(!horizon.take(look(12, 95, 110)));
        assert_eq!(horizon.settled(), 0);
        assert!(horizon.take(look(15, 101, 120)), "those from 101 on came later");
        assert_eq!(horizon.settled(), 7);
        horizon.take(look(15, 101, 120));
        horizon.take(look(15, 120, 121));
        assert_eq!(horizon.settled(), 7);
        horizon.take(look(15, 121, 121));
        assert_eq!(horizon.settled(), 15);
    }
}
