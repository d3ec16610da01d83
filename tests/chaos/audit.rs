//! What was promised against what the simulator got.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{fleet::Fleet, load::Log};

/// The contract's: what is owed is gone so long after the last fault.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Report {
    pub requests: usize,
    pub answers: BTreeMap<String, usize>,
    /// 200s that nothing may have replaced, and how many of them came.
    pub owed: usize,
    pub came: usize,
    /// 200s that a later request for the phone may have replaced.
    pub maybe_replaced: usize,
    /// Messages beyond the first with the same code to the same phone.
    pub duplicates: usize,
    /// How long after the last request, or the last fault, all that was owed had come, and the outbox was empty.
    pub came_after: Option<Duration>,
    pub empty_after: Option<Duration>,
    /// How long after its 200 a message came: the median, the 99th percentile, the longest.
    pub delays: [Duration; 3],
    /// How many came more than a second later: by another instance, or a later call.
    pub rescued: usize,
    /// What the simulator counted.
    pub outcomes: Value,
    pub lookups: Value,
    pub lost: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "requests        {} {:?}", self.requests, self.answers)?;
        writeln!(
            f,
            "owed            {}, of which {} came; {} more may have been replaced",
            self.owed, self.came, self.maybe_replaced
        )?;
        writeln!(f, "lost            {}", self.owed - self.came)?;
        writeln!(f, "duplicates      {}", self.duplicates)?;
        writeln!(
            f,
            "backlog         all came after {:.1?}, outbox empty after {:.1?}",
            self.came_after, self.empty_after
        )?;
        let [median, p99, longest] = self.delays;
        writeln!(
            f,
            "200 to SMS      median {median:.1?}, p99 {p99:.1?}, longest {longest:.1?}; {} after more than a second",
            self.rescued
        )?;
        writeln!(f, "simulator       {} look-ups {}", self.outcomes, self.lookups)
    }
}

/// Waits for what is owed, and no longer than is promised.
pub async fn audit(fleet: &Fleet, log: &Log) -> Report {
    let began = Instant::now();
    let mut report = Report::default();
    let mut owed = HashMap::<String, (DateTime<Utc>, DateTime<Utc>)>::new();
    for (phone, sends) in log {
        for (index, sent) in sends.iter().enumerate() {
            report.requests += 1;
            let answer = sent.status.map_or("none".to_owned(), |status| status.to_string());
            *report.answers.entry(answer).or_default() += 1;
            let Some(at) = sent.answered else {
                continue;
            };
            // One that was refused replaces nothing; one whose answer is lost may have.
            let replaces = |status| !matches!(status, Some(400..500));
            if sends[index + 1..].iter().any(|later| replaces(later.status)) {
                report.maybe_replaced += 1;
            } else {
                owed.insert(phone.clone(), (sent.asked, at));
            }
        }
    }
    report.owed = owed.len();
    let mut came = Codes::new();
    while began.elapsed() < PATIENCE && (report.came_after.is_none() || report.empty_after.is_none()) {
        came = messages(fleet).await;
        let came_all = owed
            .iter()
            .all(|(phone, (asked, _))| arrival(&came, phone, *asked).is_some());
        if report.came_after.is_none() && came_all {
            report.came_after = Some(began.elapsed());
        }
        if fleet.owed().await == 0 {
            report.empty_after.get_or_insert(began.elapsed());
        }
        sleep(Duration::from_millis(200)).await;
    }
    let mut delays = Vec::new();
    for (phone, (asked, at)) in &owed {
        match arrival(&came, phone, *asked) {
            // The clock of both is this machine's; the message may even be quicker than the answer.
            Some(arrived) => delays.push((arrived - *at).to_std().unwrap_or_default()),
            None => report.lost.push(format!("{phone} answered at {at}")),
        }
    }
    delays.sort_unstable();
    report.came = delays.len();
    report.rescued = delays.iter().filter(|delay| delay.as_secs() >= 1).count();
    if let Some(last) = delays.len().checked_sub(1) {
        report.delays = [delays[last / 2], delays[last * 99 / 100], delays[last]];
    }
    report.duplicates = came
        .values()
        .flat_map(HashMap::values)
        .map(|times| times.len() - 1)
        .sum();
    let stats = fleet.simulator.stats().await;
    (report.outcomes, report.lookups) = (stats["by_outcome"].clone(), stats["by_lookup"].clone());
    report
}

/// When the message came that a request at `asked` was promised: the latest code's, if it is no older than the request.
/// Nobody but its phone can tell a code from the answer, so this goes by time: the requests of a phone don't overlap.
fn arrival(came: &Codes, phone: &str, asked: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let firsts = came.get(phone)?.values().map(|times| times[0]);
    firsts.max().filter(|arrived| *arrived >= asked)
}

/// When each code came to each phone, the first time first.
type Codes = HashMap<String, HashMap<String, Vec<DateTime<Utc>>>>;

async fn messages(fleet: &Fleet) -> Codes {
    let all = fleet.simulator.ask("/messages.json?limit=1000000").await;
    let all: Vec<Value> = all.json().await.unwrap();
    let mut came = Codes::new();
    for message in all.iter().rev() {
        let text = |field: &str| message[field].as_str().unwrap();
        let mut runs = text("body").split(|character: char| !character.is_ascii_digit());
        let code = runs.find(|run| run.len() == 6).unwrap().to_owned();
        let times = came
            .entry(text("to").to_owned())
            .or_default()
            .entry(code)
            .or_default();
        times.push(text("at").parse().unwrap());
    }
    came
}
