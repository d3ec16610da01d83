//! Identifiers that begin with their time: where a table is kept by months, they say which a row belongs to.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Below what is left of an identifier, once its time is taken off: of a row's 48 bits of milliseconds, of a challenge's 16
/// bits of days.
const BELOW_MILLIS: u32 = 80;
const BELOW_DAYS: u32 = 112;

/// What no row of then or later is below that [`row_id`](crate::entropy::Entropy) named (UUID version 7).
pub fn first_row_id(since: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(since.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(u128::from(millis) << BELOW_MILLIS)
}

/// The number of a day, counted from 1970: with it a challenge's name begins. It is enough until 2149.
pub fn day_number(at: DateTime<Utc>) -> u16 {
    const SECONDS: i64 = 24 * 3600;
    let day = at.timestamp().div_euclid(SECONDS).max(0);
    u16::try_from(day).unwrap_or(u16::MAX)
}

/// What no challenge of that day or a later one is below.
pub fn first_challenge_id(since: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::from(day_number(since)) << BELOW_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Entropy, SystemEntropy};

    #[test]
    fn a_row_is_not_below_the_first_of_its_time_and_below_that_of_the_next() {
        let at = DateTime::from_timestamp_millis(1_796_083_200_000).unwrap();
        let next = DateTime::from_timestamp_millis(1_796_083_200_001).unwrap();
        let id = (&SystemEntropy as &dyn Entropy).row_id(at);
        assert!(first_row_id(at) <= id && id < first_row_id(next));
    }

    #[test]
    fn days_are_counted_from_1970_and_end_at_their_midnight() {
        let day = |seconds| day_number(DateTime::from_timestamp(seconds, 0).unwrap());
        assert_eq!([day(-1), day(0), day(86_399), day(86_400)], [0, 0, 0, 1]);
        assert_eq!(day(1_796_083_199) + 1, day(1_796_083_200));
        assert_eq!(day(10_000_000_000), u16::MAX);
        let first = first_challenge_id(DateTime::from_timestamp(1_796_083_200, 0).unwrap());
        assert_eq!(first.to_string(), "51340000-0000-0000-0000-000000000000");
    }
}
