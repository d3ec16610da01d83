//! What a receiver does not take is said once, then each minute with a count, and once when it takes events again: a line
//! for each event and try would bury all others.

use tokio::time::Instant;

use super::EventWebhook;
use crate::{
    outage::{PastSpell, Spell},
    provider::FailureReason,
    wire,
};

/// How a try came to nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why there was none.
    pub reason: Option<FailureReason>,
    /// How often the event was tried.
    pub attempts: u32,
}

/// The failures of one receiver that have not ended.
#[derive(Default)]
pub(super) struct Troubles(Option<Spell>);

/// What is to be said of a failure.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// It is the first.
    Begins,
    /// So many since it was last said.
    GoesOn { failures: u64 },
    /// It was said a moment ago.
    None,
}

impl Troubles {
    /// Says that an event was not taken, if that is news.
    pub fn failed(&mut self, webhook: &EventWebhook, trouble: Trouble) {
        let failures = match self.note(Instant::now()) {
            News::Begins => None,
            News::GoesOn { failures } => Some(failures),
            News::None => {
                tracing::debug!(
                    webhook.name = webhook.name,
                    attempts = trouble.attempts,
                    "an event was not taken"
                );
                return;
            }
        };
        tracing::warn!(
            webhook.name = webhook.name,
            webhook.server = wire::server(&webhook.url),
            http.status = trouble.status,
            error = trouble.reason.map(|reason| reason.to_string()),
            attempts = trouble.attempts,
            failures,
            "an event was not taken"
        );
    }

    /// The receiver took an event, or would have.
    pub fn taken(&mut self) {
        if let Some(spell) = &mut self.0 {
            spell.worked(Instant::now());
        }
    }

    /// Says that it is over, if it is. To be called every second or so.
    pub fn tell_over(&mut self, webhook: &EventWebhook) {
        if let Some(past) = self.over(Instant::now()) {
            tracing::warn!(
                webhook.name = webhook.name,
                failures = past.failures,
                lasted_s = past.lasted.as_secs(),
                "events are taken again"
            );
        }
    }

    fn note(&mut self, now: Instant) -> News {
        let Some(spell) = &mut self.0 else {
            self.0 = Some(Spell::begin(now));
            return News::Begins;
        };
        spell.failed(now);
        let goes_on = spell.goes_on(now);
        goes_on.map_or(News::None, |failures| News::GoesOn { failures })
    }

    fn over(&mut self, now: Instant) -> Option<PastSpell> {
        let past = self.0.as_ref()?.over(now)?;
        self.0 = None;
        Some(past)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_receiver_that_takes_nothing_is_said_once_each_minute_and_at_the_end() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(troubles.note(at(0)), News::Begins);
        for second in 1..60 {
            assert_eq!(troubles.note(at(second)), News::None, "{second}");
        }
        assert_eq!(troubles.note(at(60)), News::GoesOn { failures: 60 });
        assert_eq!(troubles.over(at(300)), None, "it took nothing yet");
        troubles.0.as_mut().unwrap().worked(at(310));
        let (failures, lasted) = (61, Duration::from_secs(310));
        assert_eq!(troubles.over(at(311)), Some(PastSpell { failures, lasted }));
        assert_eq!(troubles.over(at(400)), None, "it is said once");
        assert_eq!(troubles.note(at(401)), News::Begins);
    }
}
