//! How many codes were sent by SMS and typed, by country and by prefix, in this process: what operators look at, and what a
//! warning is given by.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::phone::{Country, PhoneNumber};

/// Time is counted in slices of ten minutes, and the last of them make an hour.
const SLICE_MS: i64 = 10 * 60 * 1000;
const SLICES: usize = 6;
/// Digits of a prefix: a country and a block, nobody's number.
const DIGITS: usize = 6;
/// Prefixes that are counted at a time; of further ones nothing is known until an hour has passed.
const MAX_PREFIXES: usize = 5000;
/// Codes of an hour from which on a conversion says something.
const ENOUGH: u32 = 20;
/// A warning is given once in so many milliseconds for one country.
const WARN_EVERY_MS: i64 = 3600 * 1000;

/// What became of codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    issued: u32,
    verified: u32,
    /// In ten-thousandths of the currency.
    spent: u64,
}

impl Count {
    fn add(&mut self, more: Self) {
        self.issued = self.issued.saturating_add(more.issued);
        self.verified = self.verified.saturating_add(more.verified);
        self.spent = self.spent.saturating_add(more.spent);
    }

    /// Of a hundred codes, how many were typed.
    fn conversion(self) -> Option<u32> {
        (self.issued > 0).then(|| self.verified.saturating_mul(100) / self.issued)
    }
}

/// The counts of the last hour.
#[derive(Debug, Clone, Default)]
struct Hour {
    slices: [Count; SLICES],
    /// The slice that was written last, by its number since the Unix epoch.
    last: i64,
}

impl Hour {
    fn add(&mut self, more: Count, slice: i64) {
        self.pass(slice);
        self.slices[place(slice)].add(more);
    }

    fn pass(&mut self, slice: i64) {
        let gone = (slice - self.last).clamp(0, SLICES as i64);
        for passed in slice - gone + 1..=slice {
            self.slices[place(passed)] = Count::default();
        }
        self.last = self.last.max(slice);
    }

    fn sum(&self, slice: i64) -> Count {
        let mut hour = self.clone();
        hour.pass(slice);
        hour.slices.iter().fold(Count::default(), |mut sum, count| {
            sum.add(*count);
            sum
        })
    }
}

fn place(slice: i64) -> usize {
    usize::try_from(slice.rem_euclid(SLICES as i64)).unwrap_or_default()
}

/// A country's counts, and its metrics.
struct OfCountry {
    hour: Hour,
    issued: metrics::Counter,
    verified: metrics::Counter,
    spent: metrics::Counter,
    /// What its conversion usually is, in hundredths.
    usual: Option<f64>,
    judged: i64,
    warned_ms: i64,
}

impl OfCountry {
    fn new(country: Country) -> Self {
        let codes = |outcome: &'static str| metrics::counter!("ringback_sms_codes_total", "country" => country.to_string(), "outcome" => outcome);
        Self {
            hour: Hour::default(),
            issued: codes("issued"),
            verified: codes("verified"),
            spent: metrics::counter!("ringback_sms_spent_total", "country" => country.to_string()),
            usual: None,
            judged: 0,
            warned_ms: 0,
        }
    }

    /// Once a slice: compares the hour with what is usual. Gives what is to be warned of: the conversion, and the usual one.
    fn judge(&mut self, now_ms: i64) -> Option<(u32, u32)> {
        let slice = now_ms / SLICE_MS;
        if self.judged == slice {
            return None;
        }
        self.judged = slice;
        let hour = self.hour.sum(slice);
        let conversion = hour.conversion().filter(|_| hour.issued >= ENOUGH)?;
        let usual = self.usual.unwrap_or(60.0);
        let has_fallen = f64::from(conversion) < usual / 2.0;
        if !has_fallen {
            self.usual = Some(self.usual.map_or(f64::from(conversion), |usual| {
                0.9 * usual + 0.1 * f64::from(conversion)
            }));
        }
        let is_due = has_fallen && now_ms - self.warned_ms >= WARN_EVERY_MS;
        if is_due {
            self.warned_ms = now_ms;
        }
        is_due.then_some((conversion, usual.round() as u32))
    }
}

#[derive(Default)]
struct Counts {
    countries: HashMap<Country, OfCountry>,
    /// By the number that the digits make.
    prefixes: HashMap<u32, Hour>,
    /// When a rule asked for a proof of work last.
    asked_ms: HashMap<String, i64>,
}

/// What is counted.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

/// What became of the codes of a country or a prefix in the last hour, in one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesOf {
    pub of: String,
    pub issued: u32,
    pub verified: u32,
    /// In ten-thousandths of the currency.
    pub spent: u64,
}

impl Tally {
    /// A message goes out, and costs so much.
    pub fn issued(&self, to: &PhoneNumber, country: Country, price: u32, now_ms: i64) {
        let count = Count {
            issued: 1,
            verified: 0,
            spent: price.into(),
        };
        let mut counts = self.lock();
        let of_country = counts.add(to, country, count, now_ms);
        of_country.issued.increment(1);
        of_country.spent.increment(price.into());
        let warning = of_country.judge(now_ms);
        drop(counts);
        if let Some((conversion, usual)) = warning {
            tracing::warn!(
                limits.country = country.as_str(),
                limits.conversion = conversion,
                limits.usual = usual,
                "far fewer codes are typed than usual: of a hundred that went to the country, in the last hour"
            );
        }
    }

    /// The code of a message was typed.
    pub fn verified(&self, by: &PhoneNumber, country: Country, now_ms: i64) {
        let count = Count {
            verified: 1,
            ..Count::default()
        };
        self.lock().add(by, country, count, now_ms).verified.increment(1);
    }

    /// A rule asked for a proof of work.
    pub fn asked(&self, rule: &str, now_ms: i64) {
        self.lock().asked_ms.insert(rule.to_owned(), now_ms);
    }

    /// The rules that asked for one in the last hour, and how many seconds ago.
    pub fn asking(&self, now_ms: i64) -> Vec<(String, u64)> {
        let counts = self.lock();
        let ago = |at: i64| u64::try_from((now_ms - at).max(0) / 1000).unwrap_or_default();
        let mut asking: Vec<_> = counts
            .asked_ms
            .iter()
            .map(|(rule, &at)| (rule.clone(), ago(at)))
            .collect();
        asking.retain(|&(_, ago)| ago < 3600);
        asking.sort();
        asking
    }

    /// By country, and by prefix; those with the most codes that nobody typed first, and of prefixes no more than `most`.
    pub fn told(&self, most: usize, now_ms: i64) -> (Vec<CodesOf>, Vec<CodesOf>) {
        let (counts, slice) = (self.lock(), now_ms / SLICE_MS);
        let countries = counts
            .countries
            .iter()
            .map(|(country, of)| (country.to_string(), of.hour.sum(slice)));
        let countries = sorted(countries);
        let prefixes = counts
            .prefixes
            .iter()
            .map(|(digits, hour)| (format!("+{digits}"), hour.sum(slice)));
        let mut prefixes = sorted(prefixes);
        prefixes.truncate(most);
        (countries, prefixes)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, phone: &PhoneNumber, country: Country, count: Count, now_ms: i64) -> &mut OfCountry {
        let slice = now_ms / SLICE_MS;
        if let Ok(digits) = phone.prefix(DIGITS).parse() {
            if self.prefixes.len() >= MAX_PREFIXES && !self.prefixes.contains_key(&digits) {
                self.prefixes.retain(|_, hour| hour.last + SLICES as i64 > slice);
            }
            if self.prefixes.len() < MAX_PREFIXES || self.prefixes.contains_key(&digits) {
                self.prefixes.entry(digits).or_default().add(count, slice);
            }
        }
        let of_country = self
            .countries
            .entry(country)
            .or_insert_with(|| OfCountry::new(country));
        of_country.hour.add(count, slice);
        of_country
    }
}

fn sorted(counts: impl Iterator<Item = (String, Count)>) -> Vec<CodesOf> {
    let told = |(of, count): (String, Count)| CodesOf {
        of,
        issued: count.issued,
        verified: count.verified,
        spent: count.spent,
    };
    let mut all: Vec<_> = counts
        .filter(|(_, count)| *count != Count::default())
        .map(told)
        .collect();
    all.sort_by_key(|codes| {
        (
            std::cmp::Reverse(codes.issued.saturating_sub(codes.verified)),
            codes.of.clone(),
        )
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::PhoneCheck;

    const HOUR_MS: i64 = 3600 * 1000;

    #[test]
    fn an_hour_is_remembered_and_the_unverified_are_told_first() {
        let (tally, now) = (Tally::default(), 1_800_000_000_000);
        let phone = |text| PhoneNumber::parse(text, PhoneCheck::E164).unwrap();
        let country = |text| Country::parse(text).unwrap();
        for _ in 0..5 {
            tally.issued(&phone("+14152000001"), country("US"), 120, now);
            tally.verified(&phone("+14152000001"), country("US"), now);
            tally.issued(&phone("+992917000001"), country("TJ"), 4000, now);
        }
        let (countries, prefixes) = tally.told(1, now + HOUR_MS / 2);
        let told: Vec<_> = countries
            .iter()
            .map(|of| (&*of.of, of.issued, of.verified, of.spent))
            .collect();
        assert_eq!(told, [("TJ", 5, 0, 20_000), ("US", 5, 5, 600)]);
        assert_eq!((prefixes.len(), &*prefixes[0].of), (1, "+992917"));
        assert_eq!(tally.told(9, now + 2 * HOUR_MS), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_conversion_that_falls_is_warned_of_once_an_hour() {
        let mut of = OfCountry::new(Country::UNKNOWN);
        let mut now = 1_800_000_000_000;
        let mut pass = |of: &mut OfCountry, typed: u32| {
            now += SLICE_MS;
            of.hour.add(
                Count {
                    issued: 100,
                    verified: typed,
                    spent: 0,
                },
                now / SLICE_MS,
            );
            of.judge(now)
        };
        for _ in 0..12 {
            assert_eq!(pass(&mut of, 80), None);
        }
        let warned: Vec<_> = (0..12).filter_map(|_| pass(&mut of, 2)).collect();
        assert_eq!(warned.len(), 2, "{warned:?}");
        assert!(warned[0].0 < 40 && warned[0].1 > 70);
    }
}
