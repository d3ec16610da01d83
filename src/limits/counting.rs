//! Which counter a cluster rule asks for a request.

use std::{hash::Hasher, sync::Arc};

use fnv::FnvHasher;

use super::{
    asker::address_in,
    key::KeyDimension,
    money::Prices,
    rule::{Counts, Rule},
    store::{Counter, CounterName},
    subject::Subject,
    tag::RuleTag,
};
use crate::{
    email::EmailDigest,
    partition::PARTITIONS,
    phone::{Country, PhoneDigest},
};

/// What all counters of a cluster rule have in common.
#[derive(Debug)]
pub(super) struct CounterTemplate {
    rule: RuleTag,
    emission_us: i64,
    grows_by: u32,
    worked_by: u32,
    /// What a message costs, where that is counted.
    prices: Option<Arc<Prices>>,
}

/// Room for the text of most of whom they count.
const ROOM_FOR_KEY: usize = 48;

impl CounterTemplate {
    pub fn by(rule: &Rule) -> Self {
        Self {
            rule: RuleTag::of(&rule.id),
            emission_us: rule.emission_us(),
            grows_by: rule.grows_to.saturating_sub(rule.burst),
            worked_by: rule.worked_by(),
            prices: None,
        }
    }

    /// The same for a rule that may count money.
    pub fn priced(rule: &Rule, prices: &Arc<Prices>) -> Self {
        Self {
            prices: (rule.counts == Counts::Money).then(|| Arc::clone(prices)),
            ..Self::by(rule)
        }
    }

    /// The counter that `subject` spends from; `None` where the rule doesn't apply to it.
    pub fn counter(&self, rule: &Rule, subject: &Subject) -> Option<Counter> {
        if !rule.fits(subject) || !subject.has(rule.by) {
            return None;
        }
        let mut key = String::with_capacity(ROOM_FOR_KEY);
        let applies = subject.write_key(rule.by, rule.claimants, &mut key);
        // With everything else about the address, so that its counters can meet in one script.
        applies.then(|| {
            let mut counter = self.named(rule, key, subject.partition(rule.by));
            if let Some(prices) = &self.prices {
                counter.units = prices.units(subject.country().unwrap_or(Country::UNKNOWN));
            }
            if subject.has_worked() {
                counter.worked()
            } else {
                counter
            }
        })
    }

    fn named(&self, rule: &Rule, key: String, partition: Option<u8>) -> Counter {
        Counter {
            partition: partition.unwrap_or_else(|| partition_of(&key)),
            name: CounterName {
                rule: self.rule,
                whom: key,
            },
            emission_us: self.emission_us,
            burst: rule.burst,
            units: 1,
            by_message: rule.counts.by_message(),
            grows_by: self.grows_by,
            worked_by: self.worked_by,
            has_worked: false,
            enforce: rule.mode.refuses(),
        }
    }
}

impl Rule {
    /// The cluster's counter of a key.
    pub(super) fn counter_of(&self, key: &str) -> Counter {
        let phone = || Some(PhoneDigest::decode(address_in(key))?.partition(PARTITIONS));
        let email = || Some(EmailDigest::decode(address_in(key))?.partition(PARTITIONS));
        let partition = match self.by {
            by if by == KeyDimension::Phone.into() => phone(),
            by if by == KeyDimension::Email.into() => email(),
            _ => None,
        };
        CounterTemplate::by(self).named(self, key.to_owned(), partition)
    }
}

/// Spreads counters over the partitions by the hash of whom they count, alike for all rules, in every instance and version.
fn partition_of(key: &str) -> u8 {
    // The remainder is below 64, so nothing is cut off.
    (hash_of(key) % u64::from(PARTITIONS)) as u8
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{super::rule::tests::rule, *};
    use crate::{
        phone::{PhoneCheck, PhoneNumber},
        secrets::Keyring,
    };

    fn with_phone(text: &str) -> Subject {
        let keyring = Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap();
        let number = PhoneNumber::parse(text, PhoneCheck::E164).unwrap();
        Subject::new("203.0.113.7".parse::<std::net::IpAddr>().unwrap())
            .with_phone(number, &keyring.current().phone)
    }

    #[test]
    fn a_counter_lies_where_the_hash_of_whom_it_counts_says() {
        let (phone, rule) = (with_phone("+442079460958"), rule(KeyDimension::Country));
        let counter = CounterTemplate::by(&rule).counter(&rule, &phone).unwrap();
        assert_eq!(counter.name, CounterName::new("r", "GB"));
        assert_eq!(counter.record(), "l:GB");
        assert_eq!(
            u64::from(counter.partition),
            hash_of("GB") % u64::from(PARTITIONS)
        );
    }

    #[test]
    fn the_phones_own_counters_lie_where_its_challenge_lies() {
        let phone = with_phone("+442079460958");
        let digest = phone.phone_digest().unwrap();
        let rule = rule(KeyDimension::Phone);
        let counter = CounterTemplate::by(&rule).counter(&rule, &phone).unwrap();
        assert_eq!(counter.name, CounterName::new("r", digest.encode()));
        assert_eq!(counter.partition, digest.partition(PARTITIONS));
    }
}
