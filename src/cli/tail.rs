//! `ringback events tail`: what happens, as lines of JSON.

use std::{collections::BTreeSet, process::ExitCode, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::accounts::{finished, id_of, shown};
use crate::{
    admin::{Acting, Administration},
    dated::first_row_id,
    events::{EventFilter, EventKind, StoredEvent},
    output,
    settings::Settings,
    startup::with_administration,
    unavailable::Unavailable,
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
    /// Go on with what happens, until it is ended. While the database does not answer, it waits and loses nothing.
    #[arg(short, long)]
    follow: bool,
    /// About this account alone: its id, e-mail address, or verified phone.
    #[arg(long, value_name = "WHO")]
    user: Option<String>,
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
    let user = match &args.user {
        Some(who) => Some(id_of(administration, who).await?),
        None => None,
    };
    let filter = EventFilter {
        user,
        kind: args.kind,
        limit: args.lines,
        ..EventFilter::default()
    };
    let began = administration.clock.now();
    let last = administration.events(&Acting::operator(None), &filter).await;
    let mut last = last.map_err(|error| error.to_string())?;
    last.reverse();
    let mut shown = Shown::default();
    shown.add(last);
    if args.follow {
        follow(administration, &filter, began, &mut shown).await;
    }
    Ok(format!("{} events.", shown.count))
}

/// Goes on until nobody reads it. While the database does not answer, it waits.
async fn follow(
    administration: &Administration,
    filter: &EventFilter,
    began: DateTime<Utc>,
    shown: &mut Shown,
) {
    // What came before has been shown, whatever is under way.
    let mut settled = began;
    let mut outage = Outage::default();
    while !output::is_ended() {
        tokio::time::sleep(EVERY).await;
        let now = administration.clock.now();
        match look(administration, filter, settled, shown).await {
            Ok(()) if outage.is_over(now) => settled = settled.max(now - BACK),
            Ok(()) => {}
            Err(error) => outage.note(&error),
        }
        shown.forget(settled);
    }
}

/// Shows what has happened since then and was not shown.
async fn look(
    administration: &Administration,
    filter: &EventFilter,
    since: DateTime<Utc>,
    shown: &mut Shown,
) -> Result<(), Unavailable> {
    let mut after = Uuid::nil();
    loop {
        let next = EventFilter {
            since: Some(since),
            after: Some(after),
            limit: MOST,
            ..filter.clone()
        };
        let page = administration.events.page(&next).await?;
        let last = page.last().map(|event| event.id);
        let is_full = page.len() == MOST as usize;
        shown.add(page);
        match last {
            Some(last) if is_full => after = last,
            _ => return Ok(()),
        }
    }
}

/// Whether the database answers, of which is said when it changes.
#[derive(Default)]
struct Outage {
    is_down: bool,
    /// When it came back last.
    back_at: Option<DateTime<Utc>>,
}

impl Outage {
    fn note(&mut self, error: &Unavailable) {
        if !self.is_down {
            output::complain(format_args!("{error}: waiting for it"));
        }
        self.is_down = true;
    }

    /// Notes that it answers. What was held up in it may come for a while yet: it is over after that.
    fn is_over(&mut self, now: DateTime<Utc>) -> bool {
        if self.is_down {
            output::complain("the database answers again");
            *self = Self {
                is_down: false,
                back_at: Some(now),
            };
        }
        self.back_at.is_none_or(|back_at| now - back_at > BACK)
    }
}

/// What was shown.
#[derive(Default)]
struct Shown {
    /// Those that may be met again.
    ids: BTreeSet<Uuid>,
    count: u64,
}

impl Shown {
    /// Shows those that were not shown, to whoever reads it.
    fn add(&mut self, events: Vec<StoredEvent>) {
        for event in events {
            if self.ids.insert(event.id) {
                output::say(line(&event));
                self.count += u64::from(!output::is_ended());
            }
        }
    }

    /// Those from before are met no more: ids sort by time.
    fn forget(&mut self, before: DateTime<Utc>) {
        self.ids = self.ids.split_off(&first_row_id(before));
    }
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
