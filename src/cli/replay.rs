//! `ringback events replay`: what happened goes out once more.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use crate::{
    events::EventWebhook,
    output,
    settings::{Settings, parse_duration},
    startup::{Outgoing, with_outgoing},
    unavailable::Unavailable,
};

/// Events that a statement looks at.
const STEP: u32 = 1000;
/// PostgreSQL holds no time before this, in seconds from 1970: the beginning of the Julian days, 4714-11-24 BC.
/// <https://www.postgresql.org/docs/current/datatype-datetime.html>
const EARLIEST: i64 = -210_866_803_200;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// From when on: a time such as 2026-11-26T08:00:00Z, or how long ago, such as 2h or 3d.
    #[arg(long, value_name = "WHEN")]
    since: String,
    /// To this webhook alone.
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
}

pub fn run(args: &ReplayArgs, settings: &Settings) -> ExitCode {
    let chosen = |webhook: &&EventWebhook| args.webhook.as_ref().is_none_or(|name| *name == webhook.name);
    let webhooks: Vec<_> = settings.events.webhooks.iter().filter(chosen).collect();
    if webhooks.is_empty() {
        output::complain("no such webhook is configured: [[events.webhook]] in the configuration has them");
        return ExitCode::FAILURE;
    }
    with_outgoing(settings, async |outgoing| {
        let Some(since) = moment(&args.since, outgoing.clock.now()) else {
            output::complain(
                "--since: a time such as 2026-11-26T08:00:00Z, or how long ago, such as 2h or 3d",
            );
            return ExitCode::from(2);
        };
        let mut code = ExitCode::SUCCESS;
        for webhook in webhooks {
            match replay(&outgoing, webhook, since).await {
                Ok(Some(queued)) => {
                    output::say(format_args!("{}: {queued} events go out once more", webhook.name))
                }
                Ok(None) => {
                    output::complain(format_args!(
                        "{}: not known in this database yet. The service makes it known when it starts with it; what happens \
                         from then on can be sent again",
                        webhook.name
                    ));
                    code = ExitCode::FAILURE;
                }
                Err(error) => {
                    output::complain(format_args!("{}: {error}", webhook.name));
                    return ExitCode::FAILURE;
                }
            }
        }
        code
    })
}

/// How many events go out once more; none where the webhook has not begun.
async fn replay(
    outgoing: &Outgoing,
    webhook: &EventWebhook,
    since: DateTime<Utc>,
) -> Result<Option<u64>, Unavailable> {
    if !outgoing.store.has_begun(&webhook.name).await? {
        return Ok(None);
    }
    let (mut queued, mut after) = (0, Some(0));
    while let Some(from) = after {
        let now = outgoing.clock.now();
        let store = &outgoing.store;
        let step = store
            .replay(&webhook.name, &webhook.kinds, since, from, now, STEP)
            .await?;
        queued += step.queued;
        after = step.next;
    }
    Ok(Some(queued))
}

/// A time, or one so long ago, that both databases hold.
fn moment(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = match parse_duration(text) {
        Some(ago) => now.checked_sub_signed(TimeDelta::from_std(ago).ok()?)?,
        None => DateTime::parse_from_rfc3339(text).ok()?.into(),
    };
    (at.timestamp() >= EARLIEST).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let seconds = |text| moment(text, now).map(|at| at.timestamp() - 1_800_000_000);
        assert_eq!(seconds("2h"), Some(-7_200));
        assert_eq!(seconds("2027-01-15T08:00:01Z"), Some(1));
        assert_eq!(seconds("2027-01-15T09:00:01+01:00"), Some(1));
        // To the second where PostgreSQL begins.
        assert_eq!(seconds("212666803200s"), Some(-212_666_803_200));
        assert_eq!(seconds("212666803201s"), None);
        for text in ["", "2", "yesterday", "2027-01-15", "2500000d", "4294967295d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
