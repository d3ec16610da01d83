//! Statuses in Redis: `s:<challenge id>`, a short string under the phone's partition, which the id's first byte names.

use std::sync::LazyLock;

use ::redis::Script;
use async_trait::async_trait;
use uuid::Uuid;

use super::{Course, Millis, News, Record, Stage, Statuses, Whereabouts};
use crate::{
    otp::{
        redis::{RedisChallenges, millis, script, unknown_answer},
        store::{Issue, encode_id},
    },
    redis::PARTITIONS,
    unavailable::Unavailable,
};

static RECALL: LazyLock<Script> = script!("status/recall.lua");
static ADVANCE: LazyLock<Script> = script!("status/advance.lua");

/// What `issue.lua` makes a record of, but for the time.
pub(in crate::otp) struct NewRecord {
    pub course: [u8; Course::BYTES],
    pub place: Vec<u8>,
    /// Milliseconds after which a decoy seems to fail; 0 if it doesn't.
    pub fails_after: Millis,
}

impl NewRecord {
    pub fn of(issue: &Issue<'_>) -> Self {
        Self {
            course: issue.course.encode(),
            place: Record::encode_place(issue.phone, issue.slot),
            fails_after: issue.course.fails_after().unwrap_or_default(),
        }
    }
}

impl RedisChallenges {
    /// The key of a challenge's status.
    pub(in crate::otp) fn status_key(&self, challenge_id: Uuid) -> String {
        let partition = challenge_id.as_bytes()[0] % PARTITIONS;
        self.link
            .key(partition, &format!("s:{}", encode_id(challenge_id)))
    }

    async fn read(&self, challenge_id: Uuid) -> Result<Option<(Millis, Record)>, Unavailable> {
        let (now, record): (Millis, Vec<u8>) = self
            .link
            .eval(&RECALL, |script| {
                script.key(self.status_key(challenge_id)).arg(self.offset());
            })
            .await?;
        if record.is_empty() {
            return Ok(None);
        }
        let record = Record::decode(&record).ok_or_else(unknown_answer)?;
        Ok((record.issued + millis(self.rules.ttl) > now).then_some((now, record)))
    }
}

#[async_trait]
impl Statuses for RedisChallenges {
    async fn recall(&self, challenge_id: Uuid) -> Result<Option<Whereabouts>, Unavailable> {
        let found = self.read(challenge_id).await?;
        Ok(found.map(|(now, record)| record.whereabouts(now)))
    }

    async fn advance(&self, challenge_id: Uuid, news: &News<'_>) -> Result<Option<Course>, Unavailable> {
        let (phone, slot) = match news.place {
            Some((phone, slot)) if phone.partition(PARTITIONS) == partition_of(challenge_id) => (phone, slot),
            // Where a record is never changes, so that what is read here is true in the step below.
            _ => match self.read(challenge_id).await? {
                Some((_, record)) => (record.phone, record.slot),
                None => return Ok(None),
            },
        };
        let stage = match news.stage {
            Stage::Sent => b's',
            Stage::Ended(end) => end.code(),
        };
        let record: Vec<u8> = self
            .link
            .eval(&ADVANCE, |script| {
                script
                    .key(self.status_key(challenge_id))
                    .key(self.cooldown_key(phone))
                    .key(self.slot_key(phone, &slot.encode()))
                    .arg(self.offset())
                    .arg(&[stage][..])
                    .arg(millis(self.rules.ttl))
                    .arg(millis(self.rules.resend_cooldown))
                    .arg(encode_id(challenge_id))
                    .arg(news.provider);
            })
            .await?;
        match record.is_empty() {
            true => Ok(None),
            false => Record::decode(&record)
                .map(|record| Some(record.course))
                .ok_or_else(unknown_answer),
        }
    }
}

/// Where [`challenge_id`](super::challenge_id) says that the phone of an id is kept.
fn partition_of(challenge_id: Uuid) -> u8 {
    challenge_id.as_bytes()[0] % PARTITIONS
}
