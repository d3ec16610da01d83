//! `ringback limits status`, `pause` and `resume`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    ops::{Ops, address, ask, complain, ops_token},
    ops_client::{OpsClient, OpsError},
    reach::blocking,
};
use crate::{
    limits::{CodesOf, Currency, LimitsStatus, amount_text, seconds_of},
    output,
};

/// What a pause is for: one of the two.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct What {
    /// A country, by its two letters: TJ.
    #[arg(long)]
    country: Option<String>,
    /// The first digits of numbers, 1 to 8: +99291.
    #[arg(long)]
    prefix: Option<String>,
}

/// Asks the service.
pub fn status(ops: &Ops) -> ExitCode {
    let url = match address(ops) {
        Ok(url) => url,
        Err(code) => return code,
    };
    let told = blocking(async { OpsClient::new(&url, ops_token())?.get("/limits/status").await });
    let read = told.and_then(|text| {
        serde_json::from_str::<LimitsStatus>(&text).map_err(|error| OpsError::Failed(error.to_string()))
    });
    match read {
        Ok(status) => {
            output::print(told_of(&status));
            ExitCode::SUCCESS
        }
        Err(error) => complain(&error),
    }
}

/// Pauses.
pub fn pause(what: &What, length: &str, reason: Option<&str>, ops: &Ops) -> ExitCode {
    let Some(seconds) = seconds(length) else {
        return complain(&OpsError::Wrong(format!(
            "--for {length}: a whole number and a unit (s, m, h, d), 30d at most"
        )));
    };
    let body = json!({
        "country": what.country, "prefix": what.prefix, "seconds": seconds.to_string(), "reason": reason
    });
    ask::<Value>(ops, "/limits/pause", &body, |told| {
        output::say(format_args!(
            "No codes go to {} for {length}, in all instances.",
            name(&told)
        ));
        say_if_unnoted(&told);
    })
}

/// Ends a pause.
pub fn resume(what: &What, reason: Option<&str>, ops: &Ops) -> ExitCode {
    let body = json!({ "country": what.country, "prefix": what.prefix, "reason": reason });
    ask::<Value>(ops, "/limits/resume", &body, |told| {
        match told["paused"] == true {
            true => output::say(format_args!(
                "Codes go to {} again, in all instances.",
                name(&told)
            )),
            false => output::say(format_args!("{} was not paused.", name(&told))),
        }
        say_if_unnoted(&told);
    })
}

fn say_if_unnoted(told: &Value) {
    if told["event"] == false {
        output::complain("No event was written: the service does not reach its database.");
    }
}

fn name(told: &Value) -> &str {
    told["what"].as_str().unwrap_or_default()
}

fn seconds(length: &str) -> Option<u64> {
    let seconds = seconds_of(length)?;
    (1..=30 * 86_400).contains(&seconds).then_some(seconds)
}

fn told_of(status: &LimitsStatus) -> String {
    let mut lines = vec!["Codes by SMS in the last hour, in this instance:".to_owned()];
    let all = status.countries.iter().chain(&status.prefixes);
    let heading = ["TO", "SENT", "TYPED", "CONVERSION", "NOT TYPED", "COST"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading)
        .chain(all.map(|codes| row(codes, &status.currency)))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned());
    }
    if status.countries.is_empty() {
        lines.push("none".to_owned());
    }
    for asking in &status.asking {
        lines.push(format!(
            "{} asks for proofs of work: {} s ago",
            asking.rule, asking.seconds_ago
        ));
    }
    for shadow in &status.shadows {
        lines.push(format!(
            "{} (shadow) would have refused {} since {}; {} codes were sent all the same, {} of them typed",
            shadow.rule, shadow.refused, shadow.since, shadow.issued, shadow.verified
        ));
    }
    for pause in &status.pauses {
        lines.push(format!("{} is paused until {}", pause.what, pause.until));
    }
    lines.join("\n") + "\n"
}

fn row(codes: &CodesOf, currency: &str) -> [String; 6] {
    let percent = |part: u32| match codes.issued {
        0 => "-".to_owned(),
        issued => format!("{} %", u64::from(part) * 100 / u64::from(issued)),
    };
    let spent = u32::try_from(codes.spent).unwrap_or(u32::MAX);
    let cost = Currency::parse(currency).map_or_else(String::new, |currency| amount_text(spent, currency));
    [
        codes.of.clone(),
        codes.issued.to_string(),
        codes.verified.to_string(),
        percent(codes.verified),
        codes.issued.saturating_sub(codes.verified).to_string(),
        cost,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_an_end() {
        let read = ["90s", "30m", "2h", "30d"].map(seconds);
        assert_eq!(read, [Some(90), Some(1800), Some(7200), Some(2_592_000)]);
        for nonsense in ["", "h", "2", "2w", "0s", "31d", "-1h", "é"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
