//! Who is refused now, and pauses.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Acting, AdminError, Administration, hours::REFUSALS};
use crate::{
    events::{EventKind, NewEvent, RefusedClient},
    limits::{Limiter, PauseChange, Paused},
    outage,
    unavailable::Unavailable,
};

/// How far back it is looked who is refused, and how many are shown.
const NOW: TimeDelta = TimeDelta::minutes(15);
const MOST: u32 = 100;

impl Administration {
    /// Who was refused what in the last minutes, those most often first; and since when.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn refused_now(&self, by: &Acting) -> Result<(DateTime<Utc>, Vec<RefusedClient>), AdminError> {
        let since = self.clock.now() - NOW;
        let refused = self.events.refused_clients(&REFUSALS, since, MOST).await?;
        self.events
            .note(&self.event(by, EventKind::LimitsRead), None)
            .await?;
        Ok((since, refused))
    }

    /// Has no codes go to a country or a prefix for a while, in all instances. What is paused for so long already stays as it is,
    /// without an event.
    ///
    /// # Errors
    /// `Unavailable`; the pause is as it was then, as far as that can be.
    pub async fn pause(
        &self,
        by: &Acting,
        limiter: &Limiter,
        what: Paused,
        length: Duration,
    ) -> Result<PauseChange, AdminError> {
        let change = limiter.pause_for(what, length).await?;
        if change.is_changed {
            let event = about(self.event(by, EventKind::LimitsPaused), &change.pause.what);
            let event = event.with("seconds", length.as_secs());
            self.note_pause(limiter, event, &change.pause.what, change.before_ms)
                .await?;
        }
        Ok(change)
    }

    /// Ends a pause, in all instances; tells whether there was one. Where there was none there is no event.
    ///
    /// # Errors
    /// As for [`Administration::pause`].
    pub async fn resume(&self, by: &Acting, limiter: &Limiter, what: &Paused) -> Result<bool, AdminError> {
        let ended = limiter.resume(what).await?;
        if let Some(ended) = &ended {
            let event = about(self.event(by, EventKind::LimitsResumed), what);
            self.note_pause(limiter, event, what, Some(ended.until_ms))
                .await?;
        }
        Ok(ended.is_some())
    }

    /// The same for an operator, whose word holds in any case: a pause for the same is replaced, and stays where no event can be
    /// written. Tells whether one was.
    ///
    /// # Errors
    /// `Unavailable` when it can't be paused.
    pub async fn pause_in_any_case(
        &self,
        by: &Acting,
        limiter: &Limiter,
        what: &Paused,
        length: Duration,
    ) -> Result<bool, Unavailable> {
        limiter.pause(what.clone(), length).await?;
        let event = about(self.event(by, EventKind::LimitsPaused), what);
        Ok(self.is_noted(&event.with("seconds", length.as_secs())).await)
    }

    /// As [`Administration::resume`], for an operator. Tells whether an event was written; none where there was no pause.
    ///
    /// # Errors
    /// `Unavailable` when the pause can't be ended.
    pub async fn resume_in_any_case(
        &self,
        by: &Acting,
        limiter: &Limiter,
        what: &Paused,
    ) -> Result<Option<bool>, Unavailable> {
        if limiter.resume(what).await?.is_none() {
            return Ok(None);
        }
        let event = about(self.event(by, EventKind::LimitsResumed), what);
        Ok(Some(self.is_noted(&event).await))
    }

    async fn is_noted(&self, event: &NewEvent) -> bool {
        let noted = self.events.note(event, None).await;
        noted.inspect_err(outage::note).is_ok()
    }

    /// Pauses are kept where the counters are, events in the database. So that there is neither without the other, what can't be
    /// noted is undone.
    async fn note_pause(
        &self,
        limiter: &Limiter,
        event: NewEvent,
        what: &Paused,
        before_ms: Option<i64>,
    ) -> Result<(), AdminError> {
        let Err(error) = self.events.note(&event, None).await else {
            return Ok(());
        };
        if let Err(error) = limiter.put_back(what, before_ms).await {
            tracing::error!(%error, limits.paused = what.clear_name(), "a pause was changed without its event");
        }
        Err(error.into())
    }
}

fn about(event: NewEvent, what: &Paused) -> NewEvent {
    match what {
        Paused::Country(country) => event.with("country", *country),
        // Of eight digits at most, the first of which is no zero.
        Paused::Prefix(digits) => event.with("prefix", digits.parse::<u64>().unwrap_or_default()),
    }
}
