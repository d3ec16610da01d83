//! What it adds up to: sign-ups, messages, conversion, money, refusals.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Acting, AdminError, Administration,
    hours::{Counts, REFUSALS, begin},
};
use crate::{
    events::{EventCount, EventKind},
    ledger::{HourOfMessages, MessageGroup},
};

/// The kinds and reasons of refusals that are told.
const MOST_REFUSALS: usize = 1000;

/// What it adds up to, from a time on.
#[derive(Debug, Clone)]
pub struct Stats {
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub sign_ups: i64,
    /// The most messages first.
    pub messages: Vec<Messages>,
    pub refusals: Vec<EventCount>,
    /// Each hour in which something happened, the oldest first.
    pub hours: Vec<Hour>,
}

/// Messages of one country, provider and channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    pub country: Option<String>,
    pub provider: Option<String>,
    pub channel: Option<String>,
    pub messages: i64,
    pub delivered: i64,
    pub failed: i64,
    pub verified: i64,
    /// What they cost, in millionths, by currency.
    pub money: BTreeMap<String, i64>,
}

/// What happened in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    pub began: DateTime<Utc>,
    pub sign_ups: i64,
    pub messages: i64,
    pub verified: i64,
    pub refusals: i64,
}

impl Administration {
    /// What it adds up to.
    ///
    /// # Errors
    /// `Unavailable`; also where there is so much that it takes longer than a request may.
    pub async fn stats(&self, by: &Acting, since: DateTime<Utc>) -> Result<Stats, AdminError> {
        let groups = self.ledger.groups(since).await?;
        let counted = self.counted(since).await?;
        let messages = self.ledger.hours(since).await?;
        self.events
            .note(&self.event(by, EventKind::StatsRead), None)
            .await?;
        let hours = by_hour(&counted, messages);
        Ok(Stats {
            since,
            until: self.clock.now(),
            sign_ups: hours.iter().map(|hour| hour.sign_ups).sum(),
            messages: merged(groups),
            refusals: refusals(&counted),
            hours,
        })
    }
}

/// The hours in which something happened, the oldest first.
fn by_hour(counted: &[(i64, Counts)], messages: Vec<HourOfMessages>) -> Vec<Hour> {
    let mut hours = BTreeMap::new();
    for (hour, counts) in counted.iter().filter(|(_, counts)| !counts.is_empty()) {
        let hour = of(&mut hours, *hour);
        for count in &**counts {
            match is_refusal(count) {
                true => hour.refusals += count.times,
                false => hour.sign_ups += count.times,
            }
        }
    }
    for found in messages {
        let hour = of(&mut hours, found.hour);
        (hour.messages, hour.verified) = (found.messages, found.verified);
    }
    hours.into_values().collect()
}

/// What was refused in all, the most first.
fn refusals(counted: &[(i64, Counts)]) -> Vec<EventCount> {
    let mut sums = BTreeMap::new();
    let refused = counted
        .iter()
        .flat_map(|(_, counts)| &**counts)
        .filter(|count| is_refusal(count));
    for count in refused {
        *sums
            .entry((count.kind.as_str(), count.reason.as_str()))
            .or_default() += count.times;
    }
    let mut all: Vec<_> = sums
        .into_iter()
        .map(|((kind, reason), times)| EventCount {
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            times,
        })
        .collect();
    all.sort_by_key(|count| std::cmp::Reverse(count.times));
    all.truncate(MOST_REFUSALS);
    all
}

fn is_refusal(count: &EventCount) -> bool {
    REFUSALS.iter().any(|kind| kind.name() == count.kind)
}

/// An hour by its number since 1970.
fn of(hours: &mut BTreeMap<i64, Hour>, hour: i64) -> &mut Hour {
    hours.entry(hour).or_insert_with(|| Hour {
        began: begin(hour),
        sign_ups: 0,
        messages: 0,
        verified: 0,
        refusals: 0,
    })
}

/// The same without currencies of their own, which are a part of each.
fn merged(groups: Vec<MessageGroup>) -> Vec<Messages> {
    let mut merged: Vec<Messages> = Vec::new();
    for group in groups {
        let is_same = |one: &Messages| {
            one.country == group.country && one.provider == group.provider && one.channel == group.channel
        };
        let one = match merged.iter().position(is_same) {
            Some(at) => &mut merged[at],
            None => merged.push_mut(Messages {
                country: group.country.clone(),
                provider: group.provider.clone(),
                channel: group.channel.clone(),
                messages: 0,
                delivered: 0,
                failed: 0,
                verified: 0,
                money: BTreeMap::new(),
            }),
        };
        one.messages += group.messages;
        one.delivered += group.delivered;
        one.failed += group.failed;
        one.verified += group.verified;
        if let Some(currency) = group.currency {
            *one.money.entry(currency).or_default() += group.price_micros;
        }
    }
    merged.sort_by_key(|one| std::cmp::Reverse(one.messages));
    merged
}

impl Messages {
    /// Which part of the messages had its code entered.
    #[expect(clippy::cast_precision_loss, reason = "a part, shown to people")]
    pub fn conversion(&self) -> f64 {
        if self.messages == 0 {
            return 0.0;
        }
        self.verified as f64 / self.messages as f64
    }
}

impl Stats {
    /// As the documents show it.
    pub fn example(since: DateTime<Utc>) -> Self {
        let hour = Hour {
            began: since,
            sign_ups: 31,
            messages: 50,
            verified: 46,
            refusals: 2,
        };
        Self {
            since,
            until: since + chrono::TimeDelta::hours(24),
            sign_ups: 31,
            messages: vec![Messages {
                country: Some("US".to_owned()),
                provider: Some("twilio".to_owned()),
                channel: Some("sms".to_owned()),
                messages: 50,
                delivered: 48,
                failed: 1,
                verified: 46,
                money: BTreeMap::from([("USD".to_owned(), 395_000)]),
            }],
            refusals: vec![EventCount {
                kind: EventKind::RequestRefused.name().to_owned(),
                reason: "otp-send-per-phone-day".to_owned(),
                times: 2,
            }],
            hours: vec![hour],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_of_one_country_are_parts_of_one_line() {
        let group = |currency: Option<&str>, messages, micros| MessageGroup {
            country: Some("US".to_owned()),
            provider: Some("twilio".to_owned()),
            channel: Some("sms".to_owned()),
            currency: currency.map(str::to_owned),
            messages,
            delivered: messages,
            failed: 0,
            verified: messages / 2,
            price_micros: micros,
        };
        let other = MessageGroup {
            country: None,
            ..group(None, 100, 0)
        };
        let all = merged(vec![
            group(Some("USD"), 4, 7),
            group(Some("EUR"), 2, 5),
            group(None, 2, 0),
            other,
        ]);
        assert_eq!((all[0].messages, all[1].messages, all[1].verified), (100, 8, 4));
        assert_eq!(
            all[1].money,
            BTreeMap::from([("EUR".to_owned(), 5), ("USD".to_owned(), 7)])
        );
        assert!((all[1].conversion() - 0.5).abs() < f64::EPSILON);
    }
}
