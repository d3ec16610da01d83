//! Challenges in Redis, for any number of instances: one script a step, one slot of a Cluster a script.
//!
//! A slot is one string, `o:<address>` under its partition (`record.rs` says what is in it): its challenge with the status
//! of its message, failures, and in one slot of an address the cooldown. What is pending stands in the outbox
//! (`outbox.rs`) as well. The attached counters lie where the limiter says. `wire.rs` is how the scripts are talked to.

mod outbox;
mod record;
mod wire;

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU16, Ordering},
    },
    time::Duration,
};

use ::redis::Script;
use async_trait::async_trait;
use uuid::Uuid;

use super::{
    slot::Slot,
    state::{Bounds, SlotState, from_millis, millis},
    status::{self, StatusSnapshot},
    store::{
        Attempt, ChallengeStore, Issue, IssueOutcome, Issued, Judged, Millis, OtpRules, Proof, Verdict, Waits,
    },
};
use crate::{
    limits::{key_counters, pack_rules},
    partition::SlotAddress,
    provider::DeliveryStatus,
    redis::{Call, RedisLink},
    unavailable::Unavailable,
};

use outbox::key_outbox;
use wire::{Answer, CHARGED, Packed, decode_charged, unknown_answer};

/// A script of this room, with what all of them share before it.
macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/limits/gcra.lua")),
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/src/challenges/redis/slot.lua"
                )),
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/src/challenges/redis/",
                    $file
                ))
            ))
        })
    };
}
pub(super) use script;

static ISSUE: LazyLock<Script> = script!("issue.lua");
static JUDGE: LazyLock<Script> = script!("judge.lua");
static REINSTATE: LazyLock<Script> = script!("reinstate.lua");
static LOOK: LazyLock<Script> = script!("look.lua");
static NOTE_STATUS: LazyLock<Script> = script!("note_status.lua");

/// How the names of slots begin.
const SLOT: &str = "o:";

/// The store.
pub struct RedisChallenges {
    pub(super) link: Arc<RedisLink>,
    pub(super) rules: OtpRules,
    pub(super) lease: Duration,
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
            rules,
            lease,
            clock_offset,
            next_partition: AtomicU16::new(0),
        }
    }

    pub(super) fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    /// The key of the slot at `address`.
    pub(super) fn slot_key(&self, address: SlotAddress) -> String {
        self.link
            .key(address.partition(), &[SLOT, &address.encode()].concat())
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
        let (address, cooldown_at) = (issue.slot.address(), issue.slot.cooldown_slot().address());
        let slots: &[_] = if address == cooldown_at {
            &[address]
        } else {
            &[address, cooldown_at]
        };
        let lease = issue.message.map_or(Duration::ZERO, |message| message.lease);
        let facts = Packed::at(self.offset())
            .number(millis(self.rules.ttl), 4)
            .number(millis(self.rules.resend_cooldown), 4)
            .number(self.rules.max_failures.into(), 4)
            .number(millis(self.rules.failure_window), 4)
            .number(millis(lease), 4)
            .bytes(&[slots.len() as u8, record::flags(issue), issue.slot.purpose.byte()])
            .bytes(&address.local())
            .bytes(&cooldown_at.local())
            .bytes(issue.challenge_id.as_bytes())
            .bytes(issue.digest.as_bytes());
        let answer: Vec<u8> = self
            .link
            .eval(&ISSUE, slots.len() + 1 + issue.attached.len(), |call| {
                slots.iter().for_each(|&slot| key_slot(call, slot));
                key_outbox(call, address);
                key_counters(call, issue.attached);
                call.arg(facts.0)
                    .arg(record::encode_rest(issue))
                    .arg(issue.shadowed.as_str())
                    .arg(pack_rules(issue.attached));
            })
            .await?;
        let Answer {
            letter,
            number,
            attached,
            rest,
        } = Answer::read(&answer)?;
        let outcome = match letter {
            b'w' => {
                let avoid = std::str::from_utf8(rest).map_err(|_| unknown_answer())?;
                let avoid = Some(avoid.to_owned()).filter(|name| !name.is_empty());
                let entry = issue.entry(avoid, number);
                IssueOutcome::Written { entry }
            }
            b'c' => IssueOutcome::Cooldown {
                wait: from_millis(number),
            },
            b'l' => IssueOutcome::Locked {
                wait: from_millis(number),
            },
            b'm' => IssueOutcome::Limited,
            _ => return Err(unknown_answer()),
        };
        Ok(Issued { outcome, attached })
    }

    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable> {
        let facts = Packed::at(self.offset())
            .bytes(&[attempt.slots.len() as u8, self.rules.max_attempts])
            .number(self.rules.max_failures.into(), 4)
            .number(millis(self.rules.failure_window), 4)
            .bytes(attempt.digest.as_bytes())
            .bytes(attempt.challenge_id.as_ref().map_or(&[], |id| id.as_bytes()));
        let answer: Vec<u8> = self
            .link
            .eval(&JUDGE, attempt.slots.len() + attempt.attached.len(), |call| {
                for slot in attempt.slots {
                    key_slot(call, slot.address());
                }
                key_counters(call, attempt.attached);
                call.arg(facts.0).arg(pack_rules(attempt.attached));
            })
            .await?;
        let Answer {
            letter,
            number,
            attached,
            rest,
        } = Answer::read(&answer)?;
        let mut charged = Vec::new();
        let verdict = match letter {
            b'r' => Verdict::Right(proof(attempt, number, rest).ok_or_else(unknown_answer)?),
            b'w' | b'x' => {
                for of_one in rest.chunks(CHARGED) {
                    charged.push(decode_charged(of_one).ok_or_else(unknown_answer)?);
                }
                match u8::try_from(number).unwrap_or_default() {
                    0 => Verdict::Exceeded,
                    attempts_remaining => Verdict::Wrong { attempts_remaining },
                }
            }
            b'l' => Verdict::Locked {
                wait: from_millis(number),
            },
            b'e' => Verdict::Expired,
            b'm' => Verdict::Limited,
            _ => return Err(unknown_answer()),
        };
        Ok(Judged {
            verdict,
            attached,
            charged,
        })
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        let facts = Packed::at(self.offset()).bytes(proof.challenge_id.as_bytes());
        self.link
            .eval(&REINSTATE, 1, |call| {
                key_slot(call, proof.slot.address());
                call.arg(facts.0);
            })
            .await
    }

    async fn waits(&self, slot: &Slot) -> Result<Waits, Unavailable> {
        let addresses = [slot.address(), slot.cooldown_slot().address()];
        let (now, [slot, cooling]) = self.look(addresses).await?;
        Ok(slot.waits(cooling.cooldown_ends, now, &Bounds::of(&self.rules)))
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
        let ends = match challenge.cooldown_at {
            None => slot.cooldown_ends,
            Some(cooldown_at) => {
                let (_, [cooling]) = self.look([cooldown_at]).await?;
                cooling.cooldown_ends
            }
        };
        Ok(slot.snapshot(challenge_id, ends, now, &Bounds::of(&self.rules)))
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

    async fn ping(&self) -> Result<(), Unavailable> {
        self.link.check().await
    }
}

/// Adds the key of the slot at `address`.
pub(super) fn key_slot(call: &mut Call<'_>, address: SlotAddress) {
    call.key(address.partition(), [SLOT, &address.encode()]);
}

/// What the record of a used challenge proves; it is that of slot `number`, from 1.
fn proof(attempt: &Attempt<'_>, number: Millis, record: &[u8]) -> Option<Proof> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    let slot = *attempt.slots.get(index)?;
    let challenge = record::decode(record, slot.address())?.challenge?;
    Some(Proof {
        slot,
        challenge_id: challenge.id,
        subject: challenge.subject,
        shadowed: challenge.shadowed,
    })
}
