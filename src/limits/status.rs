//! What operators are told of this instance: what became of codes, which rules ask for work, what shadow rules would have done,
//! what is paused.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use super::{limiter::Limiter, shadow_counts::ShadowOf, subject::Subject, tally::CodesOf};
use crate::phone::Country;

/// Prefixes that are told at most.
const MOST_PREFIXES: usize = 20;

/// What operators are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsStatus {
    /// Of what money is spent.
    pub currency: String,
    /// Codes by SMS in the last hour, by country: those first that nobody typed.
    pub countries: Vec<CodesOf>,
    /// By the first digits, the twenty with the most codes that nobody typed.
    pub prefixes: Vec<CodesOf>,
    /// Rules that asked for a proof of work in the last hour.
    pub asking: Vec<AskingRule>,
    /// Rules in shadow mode, those first that would have refused the most.
    pub shadows: Vec<ShadowOf>,
    pub pauses: Vec<LastingPause>,
}

/// A rule that asks for proofs of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskingRule {
    pub rule: String,
    pub seconds_ago: u64,
}

/// A pause that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastingPause {
    /// A country, or the first digits of numbers.
    pub what: String,
    /// In UTC (RFC 3339).
    pub until: String,
}

impl Limiter {
    /// A message with a code goes out.
    pub fn note_issued(&self, subject: &Subject) {
        if let Some(to) = subject.sms_to() {
            let country = subject.country().unwrap_or(Country::UNKNOWN);
            let price = self.prices().units(country);
            self.0.tally.issued(to, country, price, self.now_ms());
        }
    }

    /// The code of a message was typed.
    pub fn note_verified(&self, subject: &Subject) {
        if let Some(by) = subject.sms_to() {
            let country = subject.country().unwrap_or(Country::UNKNOWN);
            self.0.tally.verified(by, country, self.now_ms());
        }
    }

    /// A rule asked for a proof of work.
    pub fn note_asked(&self, rule: &str) {
        self.0.tally.asked(rule, self.now_ms());
    }

    /// What operators are told.
    pub fn status(&self) -> LimitsStatus {
        let now_ms = self.now_ms();
        let (countries, prefixes) = self.0.tally.told(MOST_PREFIXES, now_ms);
        let asking = self.0.tally.asking(now_ms).into_iter();
        let time = |ms| {
            DateTime::from_timestamp_millis(ms)
                .unwrap_or_default()
                .to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        LimitsStatus {
            currency: self.prices().currency.to_string(),
            countries,
            prefixes,
            asking: asking
                .map(|(rule, seconds_ago)| AskingRule { rule, seconds_ago })
                .collect(),
            shadows: self.0.shadows.told(time),
            pauses: self
                .pauses()
                .into_iter()
                .map(|pause| LastingPause {
                    what: pause.what.name().to_owned(),
                    until: pause.until_text(),
                })
                .collect(),
        }
    }
}
