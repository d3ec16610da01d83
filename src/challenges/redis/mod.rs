//! Challenges in Redis, for any number of instances: one script a step, one slot of a Cluster a script.
//!
//! A slot of a phone is one string, `o:<address>` under the phone's partition (`record.rs` says what is in it): its
//! challenge, the status of that, failures, and in the phone's public slot the cooldown. What is owed stands in the
//! outbox (`outbox.rs`) as well. The riders' counters lie where the limiter says.

mod outbox;
mod record;
mod statuses;

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
    store::{
        Attempt, ChallengeStore, Issue, IssueOutcome, Issued, Judged, Millis, OtpRules, Proof, Verdict, Waits,
    },
};
use crate::{
    limits::{self, Verdicts, key_counters, pack_rules},
    partition::SlotAddress,
    phone::PhoneDigest,
    redis::{Call, RedisLink},
    unavailable::{Part, Unavailable},
};

use outbox::key_outbox;

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
        let address = issue.slot.address(issue.phone);
        let public = Slot::Public.address(issue.phone);
        let slots: &[_] = if address == public {
            &[public]
        } else {
            &[address, public]
        };
        let lease = issue.deliver.map_or(Duration::ZERO, |delivery| delivery.lease);
        let facts = Packed::at(self.offset())
            .number(millis(self.rules.ttl), 4)
            .number(millis(self.rules.resend_cooldown), 4)
            .number(self.rules.max_failures.into(), 4)
            .number(millis(self.rules.failure_window), 4)
            .number(millis(lease), 4)
            .number(issue.course.fails_after().map_or(0, |after| after.max(1)), 4)
            .bytes(&[slots.len() as u8, record::flags(issue)])
            .bytes(&issue.course.encode())
            .bytes(&address.local())
            .bytes(&public.local())
            .bytes(issue.challenge_id.as_bytes())
            .bytes(issue.digest.as_bytes());
        let answer: Vec<u8> = self
            .link
            .eval(&ISSUE, slots.len() + 1 + issue.riders.len(), |call| {
                slots.iter().for_each(|&slot| key_slot(call, slot));
                key_outbox(call, address);
                key_counters(call, issue.riders);
                call.arg(facts.0)
                    .arg(record::encode_rest(issue))
                    .arg(issue.shadowed.as_str())
                    .arg(pack_rules(issue.riders));
            })
            .await?;
        let Answer {
            letter,
            number,
            riders,
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
        Ok(Issued { outcome, riders })
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
            .eval(&JUDGE, attempt.slots.len() + attempt.riders.len(), |call| {
                for &slot in attempt.slots {
                    key_slot(call, slot.address(attempt.phone));
                }
                key_counters(call, attempt.riders);
                call.arg(facts.0).arg(pack_rules(attempt.riders));
            })
            .await?;
        let Answer {
            letter,
            number,
            riders,
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
            riders,
            charged,
        })
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        let facts = Packed::at(self.offset()).bytes(proof.challenge_id.as_bytes());
        self.link
            .eval(&REINSTATE, 1, |call| {
                key_slot(call, proof.slot.address(proof.phone));
                call.arg(facts.0);
            })
            .await
    }

    async fn waits(&self, phone: PhoneDigest, slot: Slot) -> Result<Waits, Unavailable> {
        let places = [slot, Slot::Public].map(|slot| slot.address(phone));
        let (now, [slot, public]) = self.look(places).await?;
        Ok(slot.waits(public.cooldown, now, &Bounds::of(&self.rules)))
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        self.link.ping().await
    }
}

/// Adds the key of the slot at `address`.
pub(super) fn key_slot(call: &mut Call<'_>, address: SlotAddress) {
    call.key(address.partition(), [SLOT, &address.encode()]);
}

/// What a script is told in one argument: numbers with their highest byte first, and bytes as they are.
pub(super) struct Packed(pub Vec<u8>);

impl Packed {
    /// Begins with the offset of the store's clock.
    pub fn at(offset: Millis) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&offset.to_be_bytes());
        Self(bytes)
    }

    /// Adds a number in so many bytes; the nearest that has room there.
    #[must_use]
    pub fn number(mut self, number: Millis, bytes: usize) -> Self {
        let number = number.clamp(0, (1 << (8 * bytes)) - 1).to_be_bytes();
        self.0.extend_from_slice(&number[number.len() - bytes..]);
        self
    }

    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

/// What `issue.lua` and `judge.lua` answer.
struct Answer<'a> {
    letter: u8,
    number: Millis,
    riders: Vec<limits::Verdict>,
    rest: &'a [u8],
}

impl<'a> Answer<'a> {
    fn read(answer: &'a [u8]) -> Result<Self, Unavailable> {
        let (&letter, answer) = answer.split_first().ok_or_else(unknown_answer)?;
        let (number, answer) = answer.split_at_checked(6).ok_or_else(unknown_answer)?;
        let number = number
            .iter()
            .fold(0, |number, &byte| number << 8 | Millis::from(byte));
        let (Verdicts(riders), rest) = Verdicts::read(answer).ok_or_else(unknown_answer)?;
        Ok(Self {
            letter,
            number,
            riders,
            rest,
        })
    }
}

/// Bytes that tell of a challenge that was charged: its id, its attempts.
const CHARGED: usize = 17;

fn decode_charged(charged: &[u8]) -> Option<(Uuid, u8)> {
    let (id, rest) = charged.split_first_chunk()?;
    Some((Uuid::from_bytes(*id), *rest.first()?))
}

/// What the record of a used challenge proves; it is that of slot `number`, from 1.
fn proof(attempt: &Attempt<'_>, number: Millis, record: &[u8]) -> Option<Proof> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    let slot = *attempt.slots.get(index)?;
    let state = record::decode(record, slot.address(attempt.phone))?;
    let challenge = state.challenge?;
    Some(Proof {
        phone: attempt.phone,
        slot,
        challenge_id: challenge.id,
        subject: challenge.subject,
        shadowed: challenge.shadowed,
    })
}

pub(super) fn unknown_answer() -> Unavailable {
    Unavailable::new(Part::Redis, "an answer that no script of ours gives")
}
