//! Calendar months of UTC: by them large tables are kept.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// A month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    /// 1 to 12.
    month: u32,
}

impl Month {
    /// That of a moment.
    pub fn of(time: DateTime<Utc>) -> Self {
        Self {
            year: time.year(),
            month: time.month(),
        }
    }

    /// Takes back what [`Month`] shows.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('_')?;
        let parsed = Self {
            year: year.parse().ok()?,
            month: month.parse().ok()?,
        };
        let is_one = (1..=12).contains(&parsed.month) && parsed.to_string() == text;
        is_one.then_some(parsed)
    }

    /// Its first moment.
    pub fn start(self) -> DateTime<Utc> {
        let midnight = NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default();
        midnight.and_time(chrono::NaiveTime::MIN).and_utc()
    }

    /// The one that follows.
    pub fn next(self) -> Self {
        match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                month: month + 1,
                ..self
            },
        }
    }

    /// It, and all that follow.
    pub fn on(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |month| Some(month.next()))
    }
}

/// As it stands in names of tables: `2026_11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_where_the_one_before_ends() {
        let month = Month::of(DateTime::from_timestamp(1_796_083_199, 999_999_999).unwrap());
        let shown: Vec<_> = month.on().take(3).map(|month| month.to_string()).collect();
        assert_eq!(shown, ["2026_11", "2026_12", "2027_01"]);
        assert_eq!(month.next().start().to_rfc3339(), "2026-12-01T00:00:00+00:00");
        assert_eq!(Month::of(month.next().start()), month.next());
    }

    #[test]
    fn a_name_is_read_as_it_was_shown_and_no_other() {
        let month = Month::parse("2026_11").unwrap();
        assert_eq!(month.start().to_rfc3339(), "2026-11-01T00:00:00+00:00");
        for none in [
            "2026_13",
            "2026_00",
            "2026_1",
            "2026-11",
            "rest",
            "",
            "2026_11_old",
            "+2026_11",
        ] {
            assert_eq!(Month::parse(none), None, "{none}");
        }
    }
}
