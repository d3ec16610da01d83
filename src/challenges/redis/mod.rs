//! Challenges in Redis, for any number of instances: one script a step, one slot of a Cluster a script.
//!
//! A slot is one string, `o:<address>` under its partition (`record.rs` says what is in it): its challenge with the status
//! of its message, failures, and in one slot of an address the cooldown. What is pending stands in the outbox
//! (`outbox.rs`) as well; `keys.rs` names both. The attached counters lie where the limiter says. `wire.rs` is how the scripts are talked to.

mod judged;
mod keys;
mod late;
mod outbox;
mod pending;
mod record;
mod release;
mod scripts;
mod wire;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU16, Ordering},
    },
    time::Duration,
};

use ::redis::Script;
use async_trait::async_trait;
use uuid::Uuid;

use super::{
    millis::{Millis, from_millis, millis},
    slot::{Slot, failures_at},
    state::{Bounds, SlotState},
    status::{self, StatusSnapshot, Waits},
    store::{
        Attempt, AttemptById, ChallengeStore, Hold, Issue, IssueOutcome, Issued, Judged, OtpRules, Place,
        Proof, WhenFull,
    },
};
use crate::{
    limits::Records, partition::SlotAddress, provider::DeliveryStatus, redis::RedisLink,
    unavailable::Unavailable,
};

use judged::{judged, reinstate};
use keys::{key_outbox, key_slot};
use late::{send_soon, take_back};
use scripts::{Issuing, JUDGE, JUDGE_BY_ID, LOOK, NOTE_STATUS};
use wire::{Answer, Packed, place_of, unknown_answer};

/// The store.
pub struct RedisChallenges {
    pub(super) link: Arc<RedisLink>,
    pub(super) rules: OtpRules,
    pub(super) lease: Duration,
    issuing: Issuing,
    /// Milliseconds by which a test moves Redis's clock; 0 in life.
    clock_offset: Arc<AtomicI64>,
    /// Where the next sweep for overdue deliveries begins.
    pub(super) next_partition: AtomicU16,
}

impl RedisChallenges {
    /// A store behind `link`. `lease` is how long a taken-over delivery is its taker's; `clock_offset` (milliseconds)
    /// moves the store's clock in tests.
    pub fn new(link: Arc<RedisLink>, rules: OtpRules, lease: Duration, clock_offset: Arc<AtomicI64>) -> Self {
        Self {
            link,
            issuing: Issuing::new(&rules),
            rules,
            lease,
            clock_offset,
            next_partition: AtomicU16::new(0),
        }
    }

    pub(super) fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    /// The script that issues, and what it is told of where it may write, of what, and of the counters of these records.
    fn issuing(
        &self,
        issue: &Issue<'_>,
        slots: u8,
        cooldown_at: SlotAddress,
        records: &Records<'_>,
    ) -> (Arc<Script>, Packed) {
        let lease = issue.message.map_or(Duration::ZERO, |message| message.lease);
        let (facts, rules_at) = Packed::at(self.offset())
            .bytes(&[slots, record::flags(issue)])
            .room_for_place();
        let place = |facts: Packed, place: &Place| {
            facts
                .bytes(&place.slot.address().local())
                .bytes(place.challenge_id.as_bytes())
                .bytes(place.digest.as_bytes())
        };
        let elsewhere = |facts: Packed| {
            facts
                .most(&self.rules)
                .bytes(&cooldown_at.local())
                .number(millis(lease), 4)
        };
        let (script, facts) = if issue.others.is_empty() {
            (&self.issuing.place, elsewhere(place(facts, &issue.place)))
        } else {
            let facts = elsewhere(facts).bytes(&[self.rules.max_attempts]);
            (&self.issuing.candidate, issue.places().fold(facts, place))
        };
        let (script, rules) = script.of(records);
        let tags = issue.shadowed.as_str().as_bytes(); // 64 at most
        let facts = facts
            .bytes(&[tags.len() as u8])
            .bytes(&record::encode_tail(issue, self.rules.ttl))
            .bytes(tags)
            .place_here(rules_at)
            .bytes(&rules);
        (script, facts)
    }

    /// Slots of one partition as they are, and the store's time.
    pub(super) async fn look<const N: usize>(
        &self,
        slots: [SlotAddress; N],
    ) -> Result<(Millis, [SlotState; N]), Unavailable> {
        let (now, records): (Millis, Vec<Option<Vec<u8>>>) = self
            .link
            .eval(&LOOK, N, |call| {
                slots.into_iter().for_each(|slot| key_slot(call, slot));
                call.arg(self.offset());
            })
            .await?;
        let mut states = slots.map(|_| SlotState::default());
        for ((state, record), address) in states.iter_mut().zip(records).zip(slots) {
            if let Some(record) = record {
                *state = record::decode(&record, address).ok_or_else(unknown_answer)?;
            }
        }
        Ok((now, states))
    }
}

#[async_trait]
impl ChallengeStore for RedisChallenges {
    async fn issue(&self, issue: &Issue<'_>) -> Result<Issued, Unavailable> {
        let slot = issue.place.slot;
        let (address, cooldown_at) = (slot.address(), slot.cooldown_slot().address());
        let is_elsewhere = address != cooldown_at;
        let slots = 1 + issue.others.len() + usize::from(is_elsewhere);
        let has_message = issue.message.is_some();
        let records = Records::asked(issue.attached, has_message);
        let keys = slots + records.len() + usize::from(has_message);
        let (script, facts) = self.issuing(issue, slots as u8, cooldown_at, &records);
        let answer = self
            .link
            .eval_or_later(script, keys, |call| {
                key_slot(call, address);
                for other in issue.others {
                    key_slot(call, other.slot.address());
                }
                if is_elsewhere {
                    key_slot(call, cooldown_at);
                }
                records.add_keys(call);
                if has_message {
                    key_outbox(call, address);
                }
                call.arg(facts.0);
            })
            .await;
        let answer: Vec<u8> = answer.map_err(|unanswered| send_soon(unanswered, &self.link, issue))?;
        let Answer {
            letter,
            number,
            attached,
            rest,
        } = Answer::read(&answer, issue.attached)?;
        let outcome = match (place_of(letter), letter) {
            (Some(at), _) => {
                let place = issue.places().nth(at).ok_or_else(unknown_answer)?;
                let avoid = std::str::from_utf8(rest).map_err(|_| unknown_answer())?;
                let avoid = Some(avoid.to_owned()).filter(|name| !name.is_empty());
                IssueOutcome::Written {
                    challenge_id: place.challenge_id,
                    entry: issue.entry(place, avoid, number),
                }
            }
            (None, b'c') => IssueOutcome::Cooldown {
                wait: from_millis(number),
            },
            (None, b'l') => IssueOutcome::Locked {
                wait: from_millis(number),
            },
            (None, b'm') => IssueOutcome::Limited,
            _ => return Err(unknown_answer()),
        };
        Ok(Issued { outcome, attached })
    }

    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable> {
        let (judging, claimants_at) = (attempt.slots.len(), attempt.claimants_slot());
        let read = judging + usize::from(claimants_at.is_some());
        let records = Records::asked(attempt.attached, false);
        let given_back = attempt.refund.map(|refund| (&refund.marker, refund.records()));
        let facts = Packed::at(self.offset())
            .bytes(&[
                read as u8,
                records.len() as u8,
                judging as u8,
                attempt.users(),
                self.rules.max_attempts,
            ])
            .most(&self.rules)
            .bytes(attempt.digest.as_bytes())
            .bytes(attempt.challenge_id.as_ref().map_or(&[], |id| id.as_bytes()));
        let more = given_back.as_ref().map_or(0, |(_, records)| 1 + records.len());
        let answer = self
            .link
            .eval_or_later(&*JUDGE, read + records.len() + more, |call| {
                for slot in attempt.slots.iter().chain(claimants_at) {
                    key_slot(call, slot.address());
                }
                records.add_keys(call);
                if let Some((marker, records)) = &given_back {
                    marker.add_key(call);
                    records.add_keys(call);
                }
                call.arg(facts.0)
                    .arg(records.into_rules())
                    .arg(given_back.map_or(Vec::new(), |(_, records)| records.into_rules()));
            })
            .await;
        let slots = attempt.slots.iter().map(Slot::address);
        let answer: Vec<u8> = answer.map_err(|unanswered| {
            take_back(
                unanswered,
                &self.link,
                self.offset(),
                attempt.attached,
                slots.clone(),
            )
        })?;
        judged(&answer, attempt.attached, slots)
    }

    async fn judge_by_id(&self, attempt: &AttemptById<'_>) -> Result<Judged, Unavailable> {
        let (address, failures_at) = (attempt.address, failures_at(attempt.address, attempt.purpose));
        let facts = Packed::at(self.offset())
            .bytes(&[self.rules.max_attempts])
            .most(&self.rules)
            .bytes(&[attempt.purpose.byte()])
            .bytes(attempt.challenge_id.as_bytes())
            .bytes(attempt.digest.as_bytes());
        let records = Records::asked(attempt.attached, false);
        let answer = self
            .link
            .eval_or_later(&*JUDGE_BY_ID, 2 + records.len(), |call| {
                key_slot(call, address);
                key_slot(call, failures_at);
                records.add_keys(call);
                call.arg(facts.0).arg(records.into_rules());
            })
            .await;
        let answer: Vec<u8> = answer.map_err(|unanswered| {
            take_back(unanswered, &self.link, self.offset(), attempt.attached, [address])
        })?;
        judged(&answer, attempt.attached, [address])
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        reinstate(&self.link, self.offset(), proof).await
    }

    async fn waits(&self, slot: &Slot) -> Result<Waits, Unavailable> {
        let addresses = [
            slot.address(),
            slot.cooldown_slot().address(),
            slot.failures_slot().address(),
        ];
        let pools = slot.pools();
        let (now, [slot, cooling, failing]) = self.look(addresses).await?;
        Ok(slot.waits(
            &failing.pools,
            pools,
            cooling.cooldown_ends,
            now,
            &Bounds::of(&self.rules),
        ))
    }

    async fn release(&self, slots: &[Slot], hold: Hold) -> Result<(), Unavailable> {
        self.forget(slots, hold).await
    }

    async fn snapshot(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
    ) -> Result<Option<StatusSnapshot>, Unavailable> {
        let (now, [slot]) = self.look([address]).await?;
        let Some(challenge) = slot.known(challenge_id, now) else {
            return Ok(None);
        };
        let (ends, pools) = match challenge.cooldown_at {
            None => (slot.cooldown_ends, slot.pools),
            Some(cooldown_at) => {
                let failures_at = failures_at(address, challenge.purpose);
                let (_, [cooling, failing]) = self.look([cooldown_at, failures_at]).await?;
                (cooling.cooldown_ends, failing.pools)
            }
        };
        Ok(slot.snapshot(challenge_id, &pools, ends, now, &Bounds::of(&self.rules)))
    }

    async fn note_status(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
        status: DeliveryStatus,
        provider: &str,
    ) -> Result<bool, Unavailable> {
        let facts = Packed::at(self.offset())
            .bytes(&[status::byte(status)])
            .bytes(challenge_id.as_bytes());
        self.link
            .eval(&NOTE_STATUS, 1, |call| {
                key_slot(call, address);
                call.arg(facts.0).arg(provider);
            })
            .await
    }

    async fn ping(&self) -> Result<WhenFull, Unavailable> {
        Ok(match self.link.check().await? {
            true => WhenFull::Drops,
            false => WhenFull::Refuses,
        })
    }
}
