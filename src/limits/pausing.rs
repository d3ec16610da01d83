//! Pauses and ends them, and refuses what they are for.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{
    limiter::Limiter,
    pauses::{PAUSED, Pause, Paused, paused_until},
    refusal::Refusal,
    rule::Scope,
    subject::Subject,
};
use crate::{outage, unavailable::Unavailable};

/// How often each instance looks for pauses that another one was told of.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Limiter {
    /// Refuses codes from now on in this instance, and within a second in all.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't be kept, or too many are.
    pub async fn pause(&self, what: Paused, length: Duration) -> Result<Pause, Unavailable> {
        let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.now_ms().saturating_add(length_ms);
        let pause = Pause { what, until_ms };
        self.0.counters.pause(&pause, self.now_ms()).await?;
        self.look_for_pauses().await?;
        Ok(pause)
    }

    /// Ends a pause; tells whether there was one.
    ///
    /// # Errors
    /// [`Unavailable`] when it can't.
    pub async fn resume(&self, what: &Paused) -> Result<bool, Unavailable> {
        let was_paused = self.0.counters.resume(what).await?;
        self.look_for_pauses().await?;
        Ok(was_paused)
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
        let pauses = self.known_pauses();
        if pauses.is_empty() {
            return None;
        }
        let now_ms = self.now_ms();
        let until_ms = paused_until(&pauses, subject, now_ms)?;
        metrics::counter!("ringback_limiter_decisions_total", "rule" => PAUSED, "outcome" => "refused")
            .increment(1);
        let wait = Duration::from_millis(u64::try_from(until_ms - now_ms).unwrap_or_default());
        Some(Refusal {
            rule: PAUSED.into(),
            scope: Scope::Cluster,
            retry_after: wait,
            quota: 0,
            per: wait,
            burst: 0,
            work: None,
        })
    }

    fn known_pauses(&self) -> Arc<[Pause]> {
        Arc::clone(&self.0.pauses.read().unwrap_or_else(PoisonError::into_inner))
    }
}
