//! Statuses in this process.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Course, Millis, News, Record, Statuses, Whereabouts};
use crate::{
    otp::{
        memory::{MemoryChallenges, millis},
        store::Issue,
    },
    unavailable::Unavailable,
};

/// One challenge's status.
pub(in crate::otp) struct Status(Record);

impl Status {
    pub fn of(issue: &Issue<'_>, now: Millis) -> Self {
        Self(Record {
            course: issue.course,
            issued: now,
            phone: issue.phone,
            slot: issue.slot,
        })
    }

    pub fn is_over(&self, now: Millis, ttl: Millis) -> bool {
        self.0.issued + ttl <= now
    }
}

#[async_trait]
impl Statuses for MemoryChallenges {
    async fn recall(&self, challenge_id: Uuid) -> Result<Option<Whereabouts>, Unavailable> {
        let (now, ttl, state) = (self.clock.now_ms(), millis(self.rules.ttl), self.lock());
        let status = state.statuses.get(&challenge_id);
        let live = status.filter(|status| !status.is_over(now, ttl));
        Ok(live.map(|status| status.0.whereabouts(now)))
    }

    async fn advance(&self, challenge_id: Uuid, news: &News<'_>) -> Result<Option<Course>, Unavailable> {
        let (now, ttl) = (self.clock.now_ms(), millis(self.rules.ttl));
        let mut state = self.lock();
        let Some(status) = state.statuses.get_mut(&challenge_id) else {
            return Ok(None);
        };
        let record = &mut status.0;
        if record.issued + ttl <= now || !record.course.advance(news.stage, now - record.issued) {
            return Ok(None);
        }
        let record = *record;
        if record.course.fails_after().is_some() {
            let free_at = record.issued + millis(self.rules.resend_cooldown);
            state.end_cooldown(record.phone, free_at);
            if let Some(slot) = state.slots.get_mut(&(record.phone, record.slot)) {
                slot.avoid(challenge_id, news.provider);
            }
        }
        Ok(Some(record.course))
    }
}
