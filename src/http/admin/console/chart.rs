//! Bars by hour, as numbers that a page draws.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::admin::Hour;

/// The height of the highest bar, and the width of each with the gap beside it.
const HEIGHT: i64 = 60;
const STEP: i64 = 10;

/// A chart of one number of each hour from `since` to `until`.
pub fn bars(
    name: &str,
    hours: &[Hour],
    (since, until): (DateTime<Utc>, DateTime<Utc>),
    number: fn(&Hour) -> i64,
) -> Value {
    let of = |time: DateTime<Utc>| time.timestamp().div_euclid(3600);
    let numbers: BTreeMap<_, _> = hours.iter().map(|hour| (of(hour.began), number(hour))).collect();
    let all: Vec<_> = (of(since)..=of(until)).collect();
    let most = numbers.values().copied().max().unwrap_or(0);
    let bar = |(at, hour): (usize, &i64)| {
        let number = numbers.get(hour).copied().unwrap_or(0);
        let height = if number == 0 {
            0
        } else {
            (number * HEIGHT / most.max(1)).max(1)
        };
        let began = DateTime::from_timestamp(hour * 3600, 0).unwrap_or_default();
        json!({
            "x": i64::try_from(at).unwrap_or_default() * STEP, "y": HEIGHT - height, "height": height,
            "says": format!("{}: {number}", began.format("%Y-%m-%d %H:00 UTC")),
        })
    };
    json!({
        "name": name, "total": numbers.values().sum::<i64>(), "most": most, "height": HEIGHT,
        "width": i64::try_from(all.len()).unwrap_or_default() * STEP,
        "bars": all.iter().enumerate().map(bar).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hour_has_its_bar_and_the_highest_reaches_the_top() {
        let at = |hour: i64| DateTime::from_timestamp(hour * 3600, 0).unwrap();
        let hour = |began: i64, sign_ups: i64| Hour {
            began: at(began),
            sign_ups,
            messages: 0,
            verified: 0,
            refusals: 0,
        };
        let chart = bars("x", &[hour(1, 300), hour(3, 1)], (at(0), at(3)), |hour| {
            hour.sign_ups
        });
        let heights: Vec<_> = chart["bars"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bar| bar["height"].as_i64().unwrap())
            .collect();
        assert_eq!(heights, [0, 60, 0, 1]);
        assert_eq!(
            (chart["total"].as_i64(), chart["width"].as_i64()),
            (Some(301), Some(40))
        );
        let empty = bars("x", &[], (at(0), at(0)), |hour| hour.messages);
        assert_eq!(empty["bars"][0]["height"], 0);
    }
}
