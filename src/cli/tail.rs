//! `ringback events tail`: what happens, as lines of JSON.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use chrono::TimeDelta;
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::accounts::{finished, shown};
use crate::{
    admin::{Acting, Administration},
    events::{EventFilter, EventKind, StoredEvent},
    settings::Settings,
    startup::with_administration,
};

/// How often it looks for what is new.
const EVERY: Duration = Duration::from_secs(1);
/// How far back it looks each time: what was written by a slow change comes late.
const BACK: TimeDelta = TimeDelta::seconds(30);
/// Rows of one look at most.
const MOST: u32 = 1000;

#[derive(Debug, Args)]
pub struct TailArgs {
    /// So many of the last ones, 0 to 1000.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1000))]
    lines: u32,
    /// Go on with what happens, until it is ended.
    #[arg(short, long)]
    follow: bool,
    /// About this account alone: its id.
    #[arg(long)]
    user: Option<Uuid>,
    /// Of this kind alone, such as account.locked.
    #[arg(long, value_parser = kind)]
    kind: Option<EventKind>,
}

pub fn run(args: &TailArgs, settings: &Settings) -> ExitCode {
    with_administration(settings, async |administration| {
        finished(tail(&administration, args).await)
    })
}

async fn tail(administration: &Administration, args: &TailArgs) -> Result<String, String> {
    let filter = EventFilter {
        user: args.user,
        kind: args.kind,
        limit: args.lines,
        ..EventFilter::default()
    };
    let began = administration.clock.now();
    let last = administration.events(&Acting::operator(None), &filter).await;
    let mut last = last.map_err(|error| error.to_string())?;
    last.reverse();
    let mut seen = BTreeSet::new();
    let mut count = 0_u64;
    let mut show = |events: Vec<StoredEvent>, seen: &mut BTreeSet<Uuid>| -> io::Result<u64> {
        for event in events.into_iter().filter(|event| seen.insert(event.id)) {
            writeln!(io::stdout(), "{}", line(&event))?;
            count += 1;
        }
        Ok(count)
    };
    let mut shown_so_far = show(last, &mut seen);
    while args.follow && shown_so_far.is_ok() {
        tokio::time::sleep(EVERY).await;
        let since = (administration.clock.now() - BACK).max(began);
        let next = EventFilter {
            since: Some(since),
            after: Some(Uuid::nil()),
            limit: MOST,
            ..filter.clone()
        };
        let next = administration.events.page(&next).await;
        shown_so_far = show(next.map_err(|error| error.to_string())?, &mut seen);
        // Those of long ago come no more.
        while seen.len() > 10 * MOST as usize {
            seen.pop_first();
        }
    }
    // Whoever read it has enough.
    let count = shown_so_far.unwrap_or_default();
    Ok(format!("{count} events."))
}

fn line(event: &StoredEvent) -> String {
    json!({
        "id": event.id, "at": shown(event.at), "kind": event.kind, "actor": event.actor, "actor_id": event.actor_id,
        "user_id": event.user_id, "network": event.network, "reason": event.reason, "details": event.details,
        "times": event.times,
    })
    .to_string()
}

fn kind(text: &str) -> Result<EventKind, String> {
    EventKind::from_name(text).ok_or_else(|| "no such kind of event: docs/events.md has them".to_owned())
}
