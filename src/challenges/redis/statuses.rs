//! Statuses in Redis: a part of the challenge's record.

use std::sync::LazyLock;

use ::redis::Script;
use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    challenges::{
        redis::{Packed, RedisChallenges, key_slot, script, unknown_answer},
        state::{Bounds, millis},
        status::{Course, End, News, Stage, Statuses, Whereabouts},
    },
    partition::SlotAddress,
    unavailable::Unavailable,
};

static ADVANCE: LazyLock<Script> = script!("advance.lua");

#[async_trait]
impl Statuses for RedisChallenges {
    async fn recall(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
    ) -> Result<Option<Whereabouts>, Unavailable> {
        let (now, [slot]) = self.look([address]).await?;
        let Some(challenge) = slot.known(challenge_id, now) else {
            return Ok(None);
        };
        let cooldown = match challenge.public {
            None => slot.cooldown,
            Some(public) => {
                let (_, [public]) = self.look([public]).await?;
                public.cooldown
            }
        };
        Ok(Some(Whereabouts {
            status: challenge.course.at(now - challenge.issued),
            pending: challenge.pending(now),
            waits: slot.waits(cooldown, now, &Bounds::of(&self.rules)),
        }))
    }

    async fn advance(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
        news: &News<'_>,
    ) -> Result<Option<Course>, Unavailable> {
        let (stage, public) = match news.stage {
            Stage::Sent => (b's', None),
            Stage::Ended(end @ End::Delivered) => (end.code(), None),
            // What failed may end the cooldown. Where that is kept never changes, so that it may be read before.
            Stage::Ended(end) => {
                let (now, [slot]) = self.look([address]).await?;
                let Some(challenge) = slot.known(challenge_id, now) else {
                    return Ok(None);
                };
                (end.code(), challenge.public)
            }
        };
        let facts = Packed::at(self.offset())
            .bytes(&[stage])
            .number(millis(self.rules.resend_cooldown), 4)
            .bytes(challenge_id.as_bytes());
        let course: Vec<u8> = self
            .link
            .eval(&ADVANCE, 1 + usize::from(public.is_some()), |call| {
                for slot in [Some(address), public].into_iter().flatten() {
                    key_slot(call, slot);
                }
                call.arg(facts.0).arg(news.provider);
            })
            .await?;
        let course = course.as_slice();
        if course.is_empty() {
            return Ok(None);
        }
        let course = course.try_into().ok().and_then(Course::decode);
        course.map(Some).ok_or_else(unknown_answer)
    }
}
