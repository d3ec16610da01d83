//! Up to where the table of events is settled, by PostgreSQL's snapshots.
//!
//! An event gets its place from a sequence, within its transaction, which may commit later than one with a higher place. The
//! default of the column sees to it that a transaction has its number before it takes a place. So: read how far the sequence
//! is; then draw a number, which is higher than that of each transaction with a place up to there; once no transaction with a
//! lower number is running, every place up to there is taken or never will be. A snapshot alone doesn't tell such a number: its
//! `xmax` is one past the highest transaction that has ended, and others with higher ones may be running.

/// What one look at the database tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// How far the sequence is.
    pub last: i64,
    /// No transaction with a lower number is running.
    pub oldest: i64,
    /// A number that was drawn after the look before, where [`Horizon::wants_number`] asked for one.
    pub number: Option<i64>,
}

/// What several looks tell together, each of which begins after the one before was taken into account.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    settled: Option<i64>,
    /// How far the sequence was, and a number that was drawn later.
    sample: Option<(i64, Option<i64>)>,
}

impl Horizon {
    /// How far it is settled, once that is known.
    pub fn settled(&self) -> Option<i64> {
        self.settled
    }

    /// Whether the next look has to draw a number. It costs one of the database's transactions, so it is asked for only when
    /// there are new events.
    pub fn wants_number(&self) -> bool {
        matches!(self.sample, Some((_, None)))
    }

    /// Takes a look into account; whether a further one at once may tell more.
    pub fn take(&mut self, look: Look) -> bool {
        let (last, number) = match self.sample {
            None if look.last == 0 || self.settled.is_some_and(|settled| look.last <= settled) => {
                self.settled = self.settled.or(Some(0));
                return false;
            }
            None => {
                self.sample = Some((look.last, None));
                return true;
            }
            Some((last, number)) => (last, number.or(look.number)),
        };
        self.sample = Some((last, number));
        if number.is_none_or(|number| look.oldest < number) {
            return false;
        }
        self.settled = self.settled.max(Some(last));
        self.sample = None;
        look.last > last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(last: i64, oldest: i64, number: impl Into<Option<i64>>) -> Look {
        let number = number.into();
        Look { last, oldest, number }
    }

    #[test]
    fn an_empty_table_is_settled_and_a_quiet_one_by_two_looks() {
        let mut horizon = Horizon::default();
        assert_eq!(horizon.settled(), None);
        assert!(!horizon.take(look(0, 90, None)));
        assert_eq!((horizon.settled(), horizon.wants_number()), (Some(0), false));
        assert!(horizon.take(look(7, 100, None)));
        assert_eq!((horizon.settled(), horizon.wants_number()), (Some(0), true));
        assert!(!horizon.take(look(7, 100, 100)));
        assert_eq!((horizon.settled(), horizon.wants_number()), (Some(7), false));
        assert!(!horizon.take(look(7, 101, None)));
        assert_eq!(horizon.settled(), Some(7));
    }

    #[test]
    fn a_transaction_that_is_under_way_is_waited_for() {
        let mut horizon = Horizon::default();
        horizon.take(look(7, 90, None));
        // Number 90 may have a place up to 7; what begins later has not.
        assert!(!horizon.take(look(9, 90, 101)));
        assert!(!horizon.wants_number());
        assert!(!horizon.take(look(12, 95, None)));
        assert_eq!(horizon.settled(), None);
        assert!(horizon.take(look(15, 101, None)), "those from 101 on came later");
        assert_eq!(horizon.settled(), Some(7));
        horizon.take(look(15, 101, None));
        horizon.take(look(15, 120, 121));
        assert_eq!(horizon.settled(), Some(7));
        horizon.take(look(15, 121, None));
        assert_eq!(horizon.settled(), Some(15));
    }

    // The highest transaction that has ended is 99, so a snapshot says 100 of the running 100 and 101 alike.
    #[test]
    fn one_whose_number_no_snapshot_names_yet_is_waited_for() {
        let mut horizon = Horizon::default();
        horizon.take(look(7, 100, None));
        assert!(!horizon.take(look(7, 100, 102)));
        assert_eq!(horizon.settled(), None);
        horizon.take(look(7, 102, None));
        assert_eq!(horizon.settled(), Some(7));
    }
}
