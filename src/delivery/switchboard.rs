//! Which provider carries which SMS: the routes, and how the providers behind them do. No I/O, time as a value.
//!
//! An SMS takes the first route whose countries fit, whose provider is let by its breaker, and that has room: in its pace,
//! and among its calls in flight. One that has no room is not waited for while another has; where none has, whichever
//! is first to have some is taken. The provider whose last SMS to this phone did not arrive comes in question only
//! where the breakers of all others are shut, or nobody else fits; so do, after that one, those that shunned this very SMS.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{
    ChannelProvider, Countries, OutboxEntry, Route,
    breaker::{Access, Breaker, Health, Pauses, Report},
    pace::Pace,
};
use crate::{channel::Channel, phone::Country};

/// The number of a line, which is a provider and what is known of it here.
pub(super) type LineId = usize;

/// A provider as calls to it see it.
#[derive(Debug)]
struct Line {
    channel: Channel,
    name: &'static str,
    breaker: Breaker,
    pace: Pace,
}

/// What a job waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// To ask this line whether it has the SMS already.
    LookUp(LineId),
    /// To be sent by one of these, the preferred first; by the spare one if they are all shut.
    Send {
        lines: Vec<LineId>,
        spare: Option<LineId>,
        /// Those that did not want it before, see [`super::job::Job`]: only if all others are shut, too.
        shunned_by: BTreeSet<LineId>,
    },
}

/// What there is for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Line(LineId),
    NotBefore(Instant),
    /// Until a call ends.
    Later,
}

#[derive(Debug)]
pub(super) struct Switchboard {
    lines: Vec<Line>,
    routes: Vec<(LineId, Countries)>,
    /// Calls on one line at a time.
    in_flight: usize,
    /// How long an SMS rests that a line refuses though it takes others.
    rest: Duration,
}

impl Switchboard {
    pub fn new(routes: &[Route], in_flight: usize, pauses: Pauses) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut numbered = Vec::new();
        for route in routes {
            let (channel, name) = (route.provider.channel(), route.provider.name());
            let known = lines
                .iter()
                .position(|line| (line.channel, line.name) == (channel, name));
            let number = known.unwrap_or_else(|| {
                lines.push(Line {
                    channel,
                    name,
                    breaker: Breaker::new(pauses),
                    pace: Pace::new(route.max_per_second),
                });
                lines.len() - 1
            });
            numbered.push((number, route.countries.clone()));
        }
        Self {
            lines,
            routes: numbered,
            in_flight,
            rest: pauses.longest,
        }
    }

    /// The providers of the lines, from the routes that the lines were made of.
    pub fn providers(&self, routes: &[Route]) -> Vec<ChannelProvider> {
        let is = |line: &Line, route: &&Route| {
            (route.provider.channel(), route.provider.name()) == (line.channel, line.name)
        };
        let provider = |line: &Line| routes.iter().find(|route| is(line, route));
        let routes = self.lines.iter().filter_map(provider);
        routes.map(|route| route.provider.clone()).collect()
    }

    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    pub fn routes(&self) -> &[(LineId, Countries)] {
        &self.routes
    }

    pub fn channel(&self, line: LineId) -> Channel {
        self.lines[line].channel
    }

    pub fn name(&self, line: LineId) -> &'static str {
        self.lines[line].name
    }

    pub fn health(&self, line: LineId) -> Health {
        self.lines[line].breaker.health()
    }

    /// From when on codes may be issued that this line alone could carry; none while a probe decides.
    pub fn admits_from(&self, line: LineId, now: Instant) -> Option<Instant> {
        match self.lines[line].breaker.admission() {
            Access::Free => Some(now),
            Access::NotBefore(until) => Some(until),
            Access::Closed => None,
        }
    }

    /// The lines of a channel that lead to a country, the preferred first.
    pub fn towards(&self, channel: Channel, country: Country) -> Vec<LineId> {
        let mut lines = Vec::new();
        for (line, countries) in &self.routes {
            let fits = self.channel(*line) == channel && countries.fits(country);
            if fits && !lines.contains(line) {
                lines.push(*line);
            }
        }
        lines
    }

    pub fn rest(&self) -> Duration {
        self.rest
    }

    /// What an SMS waits for that these shunned; none where no route leads to its country.
    pub fn wanted_by(&self, entry: &OutboxEntry, shunned_by: &BTreeSet<LineId>) -> Option<Want> {
        let mut lines = self.towards(entry.channel, entry.country);
        let spare = lines
            .iter()
            .position(|&line| entry.avoid.as_deref() == Some(self.lines[line].name))
            .map(|index| lines.remove(index));
        (!lines.is_empty() || spare.is_some()).then(|| Want::Send {
            lines,
            spare,
            shunned_by: shunned_by.clone(),
        })
    }

    /// Whether a line leads to its country, of which these are none, that is let by its breaker.
    pub fn is_open_but_for(&self, shunned_by: &BTreeSet<LineId>, entry: &OutboxEntry, now: Instant) -> bool {
        let lines = self.towards(entry.channel, entry.country).into_iter();
        let mut others = lines.filter(|line| !shunned_by.contains(line));
        others.any(|line| self.lines[line].breaker.access(now) == Access::Free)
    }

    /// Whether any line leads to its country but these.
    pub fn has_others(&self, shunned_by: &BTreeSet<LineId>, entry: &OutboxEntry) -> bool {
        let mut lines = self.towards(entry.channel, entry.country).into_iter();
        lines.any(|line| !shunned_by.contains(&line))
    }

    /// Finds a line, with `load` for the calls in flight on each.
    pub fn choose(&self, want: &Want, load: &[usize], now: Instant) -> Choice {
        let (lines, spare, shunned_by) = match want {
            // What a provider took can be asked for whatever its breaker thinks of sending.
            Want::LookUp(line) => return self.room(*line, load, now),
            Want::Send {
                lines,
                spare,
                shunned_by,
            } => (lines, *spare, shunned_by),
        };
        let mut choice = Choice::Later;
        let mut all_shut = true;
        let (shunned, fresh): (Vec<_>, Vec<_>) = lines
            .iter()
            .copied()
            .chain(spare)
            .partition(|line| shunned_by.contains(line));
        for line in fresh.into_iter().chain(shunned) {
            if (Some(line) == spare || shunned_by.contains(&line)) && !all_shut {
                break;
            }
            let breaker = &self.lines[line].breaker;
            let access = match shunned_by.contains(&line) {
                true => breaker.access_again(now),
                false => breaker.access(now),
            };
            let open = match access {
                Access::Free => {
                    all_shut = false;
                    self.room(line, load, now)
                }
                Access::NotBefore(until) => Choice::NotBefore(until),
                Access::Closed => Choice::Later,
            };
            match (open, choice) {
                (Choice::Line(_), _) => return open,
                (Choice::NotBefore(at), Choice::NotBefore(soonest)) if at >= soonest => {}
                (Choice::NotBefore(_), _) => choice = open,
                (Choice::Later, _) => {}
            }
        }
        choice
    }

    fn room(&self, line: LineId, load: &[usize], now: Instant) -> Choice {
        if load[line] >= self.in_flight {
            return Choice::Later;
        }
        match self.lines[line].pace.full_until(now) {
            Some(until) => Choice::NotBefore(until),
            None => Choice::Line(line),
        }
    }

    /// Begins a call; answers whether it is a probe.
    pub fn begin_send(&mut self, line: LineId, now: Instant) -> bool {
        self.lines[line].pace.begin(now);
        self.lines[line].breaker.begin()
    }

    pub fn begin_look_up(&mut self, line: LineId, now: Instant) {
        self.lines[line].pace.begin(now);
    }

    /// Takes note of how a sending call ended.
    pub fn report(&mut self, line: LineId, was_probe: bool, report: Report, now: Instant) {
        self.lines[line].breaker.report(was_probe, report, now);
    }
}

#[cfg(test)]
mod tests;
