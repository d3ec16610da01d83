//! Statuses in this process.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    challenges::{
        memory::MemoryChallenges,
        state::{Cooldown, millis},
        status::{Course, News, Statuses, Whereabouts},
    },
    partition::SlotAddress,
    unavailable::Unavailable,
};

#[async_trait]
impl Statuses for MemoryChallenges {
    async fn recall(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
    ) -> Result<Option<Whereabouts>, Unavailable> {
        let (now, state) = (self.clock.now_ms(), self.lock());
        let Some(slot) = state.slots.get(&address) else {
            return Ok(None);
        };
        Ok(slot.known(challenge_id, now).map(|challenge| {
            let cooldown = state.cooldown(challenge.public.unwrap_or(address));
            Whereabouts {
                status: challenge.course.at(now - challenge.issued),
                pending: challenge.pending(now),
                waits: slot.waits(cooldown, now, &self.bounds()),
            }
        }))
    }

    async fn advance(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
        news: &News<'_>,
    ) -> Result<Option<Course>, Unavailable> {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(&address) else {
            return Ok(None);
        };
        let Some(challenge) = slot.advance(challenge_id, news.stage, news.provider, now) else {
            return Ok(None);
        };
        let (course, ends) = (
            challenge.course,
            challenge.issued + millis(self.rules.resend_cooldown),
        );
        let public = challenge.public.unwrap_or(address);
        if course.fails_after().is_some()
            && let Some(public) = state.slots.get_mut(&public)
            && public.cooldown.ends == ends
        {
            public.cooldown = Cooldown::default();
        }
        Ok(Some(course))
    }
}
