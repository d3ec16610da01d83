//! Lengths of time in a profile: fixed, or by chance.

use std::{fmt, time::Duration};

use ringback::settings::{parse_duration, show_duration};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::dice::Dice;

/// Nothing here takes longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// A length of time as the configuration writes it: `"250ms"`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_duration(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = parse_duration(&text).filter(|span| *span <= LONGEST);
        span.map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "{text:?}: a whole number with ms, s or m is expected, an hour at most"
            ))
        })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show_duration(self.0))
    }
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "expected \"50ms\", { from = \"10ms\", to = \"90ms\" } or { mean = \"50ms\", most = \"2s\" }"
)]
pub enum Delay {
    /// Always the same.
    Fixed(Span),
    Uniform(Uniform),
    Exponential(Exponential),
}

/// Each length between the two is as likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    from: Span,
    to: Span,
}

/// Mostly short, now and then long: as networks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    mean: Span,
    most: Span,
}

impl Delay {
    pub const fn fixed(millis: u64) -> Self {
        Self::Fixed(Span(Duration::from_millis(millis)))
    }

    /// One of the lengths that it may have.
    pub fn draw(self, dice: &mut Dice) -> Duration {
        match self {
            Self::Fixed(span) => span.0,
            Self::Uniform(Uniform { from, to }) => {
                from.0 + to.0.saturating_sub(from.0).mul_f64(dice.fraction())
            }
            Self::Exponential(Exponential { mean, most }) => {
                let stretch = -(1.0 - dice.fraction()).ln();
                most.0.min(mean.0.mul_f64(stretch))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> Vec<u128> {
        let delay: Delay = serde_json::from_str(text).unwrap();
        let mut dice = Dice::new(1, "", 0);
        (0..10_000).map(|_| delay.draw(&mut dice).as_millis()).collect()
    }

    #[test]
    fn chance_keeps_to_its_bounds_and_its_mean() {
        assert!(drawn("\"70ms\"").iter().all(|millis| *millis == 70));
        let uniform = drawn("{\"from\":\"10ms\",\"to\":\"30ms\"}");
        assert!(uniform.iter().all(|millis| (10..=30).contains(millis)));
        assert!(uniform.contains(&11) && uniform.contains(&29));
        let exponential = drawn("{\"mean\":\"100ms\",\"most\":\"500ms\"}");
        assert!(exponential.iter().all(|millis| *millis <= 500));
        let mean = exponential.iter().sum::<u128>() / 10_000;
        assert!((90..=105).contains(&mean), "{mean}");
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "\"5\"",
            "\"2h\"",
            "5",
            "{\"from\":\"1s\"}",
            "{\"mean\":\"1s\",\"x\":1}",
        ] {
            assert!(serde_json::from_str::<Delay>(text).is_err(), "{text}");
        }
    }
}
