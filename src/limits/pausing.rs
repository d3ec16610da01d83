//! Pauses and ends them, and refuses what they are for.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    key::KeyDimension,
    limiter::Limiter,
    pauses::{PAUSED, Pause, Paused, longest_pause},
    refusal::Refusal,
    rule::Scope,
    subject::Subject,
};
use crate::{outage, unavailable::Unavailable};

/// How often each instance looks for pauses that another one was told of.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A pause that ends so little earlier than another would is the same.
const TWICE_MS: i64 = 60_000;

/// What became of a pause that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseChange {
    /// As it is now.
    pub pause: Pause,
    /// Until when it lasted before.
    pub before_ms: Option<i64>,
    /// Whether it is another than before.
    pub is_changed: bool,
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

impl Limiter {
    /// Refuses codes from now on in this instance, and within a second in all. A pause for the same is replaced.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be kept, or too many are.
    pub async fn pause(&self, what: Paused, length: Duration) -> Result<Pause, Unavailable> {
        Ok(self.pause_unless(what, length, i64::MAX).await?.pause)
    }

    /// The same, unless it is paused for so long already, or for less than a minute less: whoever asks twice asks once.
    ///
    /// # Errors
    /// As for [`Limiter::pause`].
    pub async fn pause_for(&self, what: Paused, length: Duration) -> Result<PauseChange, Unavailable> {
        let enough_ms = self.now_ms().saturating_add(millis(length)) - TWICE_MS;
        self.pause_unless(what, length, enough_ms).await
    }

    async fn pause_unless(
        &self,
        what: Paused,
        length: Duration,
        enough_ms: i64,
    ) -> Result<PauseChange, Unavailable> {
        let now_ms = self.now_ms();
        let until_ms = now_ms.saturating_add(millis(length));
        let mut pause = Pause { what, until_ms };
        let before_ms = self.0.counters.pause(&pause, enough_ms, now_ms).await?;
        let is_changed = before_ms.is_none_or(|before_ms| before_ms < enough_ms);
        if let Some(before_ms) = before_ms.filter(|_| !is_changed) {
            pause.until_ms = before_ms;
        }
        self.look_for_pauses().await?;
        Ok(PauseChange {
            pause,
            before_ms,
            is_changed,
        })
    }

    /// Ends a pause; gives it if there was one.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't.
    pub async fn resume(&self, what: &Paused) -> Result<Option<Pause>, Unavailable> {
        let before_ms = self.0.counters.resume(what, self.now_ms()).await?;
        self.look_for_pauses().await?;
        Ok(before_ms.map(|until_ms| Pause {
            what: what.clone(),
            until_ms,
        }))
    }

    /// Puts back what was before a change that is not to be.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't.
    pub async fn put_back(&self, what: &Paused, before_ms: Option<i64>) -> Result<(), Unavailable> {
        let what = what.clone();
        match before_ms {
            Some(until_ms) => {
                let pause = Pause { what, until_ms };
                self.0.counters.pause(&pause, i64::MAX, self.now_ms()).await?;
            }
            None => drop(self.0.counters.resume(&what, self.now_ms()).await?),
        }
        self.look_for_pauses().await
    }

    /// The pauses that last, by when they end.
    pub fn pauses(&self) -> Vec<Pause> {
        let (all, now_ms) = (self.known_pauses(), self.now_ms());
        let mut lasting: Vec<_> = all
            .iter()
            .filter(|pause| pause.until_ms > now_ms)
            .cloned()
            .collect();
        lasting.sort_by_key(|pause| pause.until_ms);
        lasting
    }

    /// Learns which pauses there are. Where that can't be told, those that are known last on to their end.
    ///
    /// # Errors
    /// [`Unavailable`] when the store doesn't answer.
    pub async fn look_for_pauses(&self) -> Result<(), Unavailable> {
        let pauses = self.0.counters.pauses().await?;
        *self.0.pauses.write().unwrap_or_else(PoisonError::into_inner) = pauses.into();
        Ok(())
    }

    /// Looks for them over and over, as long as somebody holds the limiter.
    pub async fn keep_looking_for_pauses(self) {
        loop {
            if let Err(error) = self.look_for_pauses().await {
                outage::note(&error);
                tracing::debug!(%error, "no new pause is heard of");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What refuses a code to this subject, if its country or prefix is paused: like a rule of the limits file.
    pub(super) fn paused(&self, subject: &Subject) -> Option<Refusal> {
        let (_, refusal) = self.pause_of(subject)?;
        metrics::counter!("ringback_limiter_decisions_total", "rule" => PAUSED, "outcome" => "refused")
            .increment(1);
        Some(refusal)
    }

    /// The same where nobody is refused, to be told, with what is paused.
    pub fn pause_of(&self, subject: &Subject) -> Option<(KeyDimension, Refusal)> {
        let pauses = self.known_pauses();
        if pauses.is_empty() || subject.passes_pauses() {
            return None;
        }
        let now_ms = self.now_ms();
        let pause = longest_pause(&pauses, subject, now_ms)?;
        let wait = Duration::from_millis(u64::try_from(pause.until_ms - now_ms).unwrap_or_default());
        let refusal = Refusal {
            rule: PAUSED.into(),
            scope: Scope::Cluster,
            retry_after: wait,
            quota: 0,
            per: wait,
            burst: 0,
            work: None,
        };
        Some((pause.what.by(), refusal))
    }

    fn known_pauses(&self) -> Arc<[Pause]> {
        Arc::clone(&self.0.pauses.read().unwrap_or_else(PoisonError::into_inner))
    }
}
