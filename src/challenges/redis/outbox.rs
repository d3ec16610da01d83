//! The outbox in Redis: sorted sets of challenges whose message is pending, scored by the end of the lease.
//!
//! A partition has several sets, `x<n>`, by the slot's address: small ones Redis keeps as plain lists, at a quarter of the
//! memory. A member is the slot's address in its partition (7 bytes) and the first half of the challenge's id (8): the
//! challenge that comes next has another, so that whoever removes or leases an entry never means a newer one.

use std::sync::{LazyLock, atomic::Ordering};

use ::redis::Script;
use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use crate::{
    challenges::{
        millis::{Millis, millis},
        redis::{
            RedisChallenges,
            keys::{SHARES, key_outbox, key_slot, outbox_key, slot_key},
            pending::{MEMBER, Name, make_due, member, name},
            record,
            scripts::{script, script_of},
            wire::{Packed, unknown_answer},
        },
        state::SlotState,
    },
    delivery::{Lease, Outbox, OutboxEntry},
    partition::{PARTITIONS, SlotAddress},
    unavailable::Unavailable,
};

static RENEW: LazyLock<Script> = script!("renew.lua");
static TAKE_OVER: LazyLock<Script> = script!("take_over.lua");

/// Partitions whose records are read at a time.
const ABREAST: usize = 16;

#[async_trait]
impl Outbox for RedisChallenges {
    async fn renew(&self, entry: &OutboxEntry) -> Result<Lease, Unavailable> {
        let facts = Packed::at(self.offset())
            .number(millis(self.lease), 4)
            .bytes(entry.challenge_id.as_bytes());
        let held: bool = self
            .link
            .eval(&RENEW, 2, |call| {
                key_outbox(call, entry.address);
                key_slot(call, entry.address);
                call.arg(facts.0)
                    .arg(&member(entry.address, name(entry.challenge_id))[..]);
            })
            .await?;
        Ok(if held { Lease::Held } else { Lease::Gone })
    }

    async fn acknowledge(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        self.remove(&[(entry.address, name(entry.challenge_id))]).await
    }

    async fn hand_back(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        make_due(&self.link, entry.address, entry.challenge_id).await
    }

    /// Asks each partition once, as many at a time as entries are wanted, beginning where the last sweep ended so that
    /// none starves; then reads the challenges of what it leased. A partition whose server is down is left out: the
    /// others' entries are leased by then.
    async fn take_over(&self, limit: usize) -> Result<Vec<OutboxEntry>, Unavailable> {
        let (mut taken, mut left) = (Vec::new(), usize::from(PARTITIONS));
        while left > 0 && taken.len() < limit {
            let wanted = limit - taken.len();
            let asked = wanted.min(left);
            let leased = match self.lease_overdue(asked, wanted / asked).await {
                Ok(leased) => leased,
                Err(error) if taken.is_empty() => return Err(error),
                Err(_) => break,
            };
            let read = stream::iter(leased)
                .map(async |leased| self.entries(&leased).await.unwrap_or_default())
                .buffer_unordered(ABREAST);
            taken.extend(read.collect::<Vec<_>>().await.into_iter().flatten());
            left -= asked;
        }
        Ok(taken)
    }
}

/// What was leased of one partition.
struct Leased {
    now: Millis,
    challenges: Vec<(SlotAddress, Name)>,
}

impl Leased {
    fn decode(answer: &[u8]) -> Option<Self> {
        let (&partition, answer) = answer.split_first()?;
        let (now, members) = answer.split_first_chunk::<6>()?;
        let challenge = |member: &[u8]| {
            let (address, name) = member.split_first_chunk()?;
            Some((
                SlotAddress::from_local(partition, *address),
                name.try_into().ok()?,
            ))
        };
        Some(Self {
            now: now.iter().fold(0, |now, &byte| now << 8 | Millis::from(byte)),
            challenges: members.chunks(MEMBER).map(challenge).collect::<Option<_>>()?,
        })
    }
}

impl RedisChallenges {
    /// Leases up to `share` overdue entries of each of the next partitions to this caller.
    async fn lease_overdue(&self, partitions: usize, share: usize) -> Result<Vec<Leased>, Unavailable> {
        let calls = (0..partitions).map(|_| {
            let turn = self.next_partition.fetch_add(1, Ordering::Relaxed);
            let (partition, first) = (turn as u8 % PARTITIONS, turn / u16::from(PARTITIONS));
            // Each time another set comes first, lest the last ones starve.
            let (last, first) = SHARES.split_at(usize::from(first) % SHARES.len());
            let shares = first.iter().chain(last);
            let keys: Vec<_> = shares.map(|share| self.link.key(partition, share)).collect();
            let facts = Packed::at(self.offset())
                .number(millis(self.lease), 4)
                .number(Millis::try_from(share).unwrap_or(Millis::MAX), 4)
                .bytes(&[partition]);
            (keys, facts.0)
        });
        let calls: Vec<_> = calls.collect();
        let answers: Vec<Vec<u8>> = self.link.eval_where_possible(&TAKE_OVER, &calls).await?;
        let overdue = answers.iter().filter(|answer| !answer.is_empty());
        overdue
            .map(|answer| Leased::decode(answer).ok_or_else(unknown_answer))
            .collect()
    }

    /// The entries that were leased; those whose challenge was replaced, used up or has expired are removed.
    async fn entries(&self, leased: &Leased) -> Result<Vec<OutboxEntry>, Unavailable> {
        let mut pipeline = ::redis::pipe();
        let keys = leased
            .challenges
            .iter()
            .map(|(address, _)| slot_key(&self.link, *address));
        pipeline.cmd("MGET").arg(keys.collect::<Vec<_>>());
        let (records,): (Vec<Option<Vec<u8>>>,) = self.link.pipeline(&pipeline).await?;
        let (mut entries, mut stale) = (Vec::new(), Vec::new());
        for (&(address, named), stored) in leased.challenges.iter().zip(records) {
            let stored = stored.as_deref();
            let Some(slot) = stored.map_or(Some(SlotState::default()), |stored| {
                record::decode(stored, address)
            }) else {
                tracing::error!("a message is held back: its challenge has a format that is not known here");
                continue;
            };
            let challenge = slot.challenge.filter(|challenge| name(challenge.id) == named);
            match challenge.and_then(|challenge| challenge.entry(address, leased.now)) {
                Some(entry) => entries.push(entry),
                None => stale.push((address, named)),
            }
        }
        // If this fails they are found again.
        let _ = self.remove(&stale).await;
        Ok(entries)
    }

    /// Removes entries of one partition.
    async fn remove(&self, challenges: &[(SlotAddress, Name)]) -> Result<(), Unavailable> {
        if challenges.is_empty() {
            return Ok(());
        }
        let mut pipeline = ::redis::pipe();
        for &(address, name) in challenges {
            let outbox = outbox_key(&self.link, address);
            pipeline.zrem(outbox, &member(address, name)[..]).ignore();
        }
        self.link.pipeline(&pipeline).await
    }
}
