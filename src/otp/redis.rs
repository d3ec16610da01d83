//! Challenges in Redis, for any number of instances: one script a step, one slot of a Cluster a script.
//!
//! A slot of a phone is one string, `o:<address>` under the phone's partition (`record.rs` says what is in it): its
//! challenge, the status of that, failures, and in the phone's public slot the cooldown. What is owed stands in the
//! outbox (`outbox/redis.rs`) as well. The riders' counters lie where the limiter says.

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
    address::SlotAddress,
    challenge::{Bounds, SlotState, from_millis, millis},
    outbox::outbox_key,
    record,
    store::{
        Attempt, ChallengeStore, Issue, IssueOutcome, Issued, Judged, Millis, OtpRules, Proof, Slot, Verdict,
        Waits,
    },
};
use crate::{
    limits::{Verdicts, add_counters},
    phone::PhoneDigest,
    redis::RedisLink,
    unavailable::{Part, Unavailable},
};

/// A script of this room, with what all of them share before it.
macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/limits/gcra.lua")),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/otp/slot.lua")),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/otp/", $file))
            ))
        })
    };
}
pub(super) use script;

static ISSUE: LazyLock<Script> = script!("issue.lua");
static JUDGE: LazyLock<Script> = script!("judge.lua");
static REINSTATE: LazyLock<Script> = script!("reinstate.lua");
static LOOK: LazyLock<Script> = script!("look.lua");

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
            .key(address.partition(), &format!("o:{}", address.encode()))
    }

    /// Slots of one partition as they are, and the store's time.
    pub(super) async fn look<const N: usize>(
        &self,
        slots: [SlotAddress; N],
    ) -> Result<(Millis, [SlotState; N]), Unavailable> {
        let (now, records): (Millis, Vec<Option<Vec<u8>>>) = self
            .link
            .eval(&LOOK, |script| {
                for slot in slots {
                    script.key(self.slot_key(slot));
                }
                script.arg(self.offset());
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
        let address = SlotAddress::of(issue.phone, issue.slot);
        let public = SlotAddress::of(issue.phone, Slot::Public);
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
        let (answer, riders): (Vec<u8>, Verdicts) = self
            .link
            .eval(&ISSUE, |script| {
                for &slot in slots {
                    script.key(self.slot_key(slot));
                }
                script
                    .key(outbox_key(&self.link, address))
                    .arg(facts.0)
                    .arg(record::encode_rest(issue))
                    .arg(issue.shadowed.as_str());
                add_counters(script, &self.link, issue.riders);
            })
            .await?;
        let Answer { letter, number, rest } = Answer::read(&answer)?;
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
        Ok(Issued {
            outcome,
            riders: riders.0,
        })
    }

    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable> {
        let facts = Packed::at(self.offset())
            .bytes(&[attempt.slots.len() as u8, self.rules.max_attempts])
            .number(self.rules.max_failures.into(), 4)
            .number(millis(self.rules.failure_window), 4)
            .bytes(attempt.digest.as_bytes())
            .bytes(attempt.challenge_id.as_ref().map_or(&[], |id| id.as_bytes()));
        let (answer, riders): (Vec<u8>, Verdicts) = self
            .link
            .eval(&JUDGE, |script| {
                for &slot in attempt.slots {
                    script.key(self.slot_key(SlotAddress::of(attempt.phone, slot)));
                }
                script.arg(facts.0);
                add_counters(script, &self.link, attempt.riders);
            })
            .await?;
        let Answer { letter, number, rest } = Answer::read(&answer)?;
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
            riders: riders.0,
            charged,
        })
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        let facts = Packed::at(self.offset()).bytes(proof.challenge_id.as_bytes());
        self.link
            .eval(&REINSTATE, |script| {
                script
                    .key(self.slot_key(SlotAddress::of(proof.phone, proof.slot)))
                    .arg(facts.0);
            })
            .await
    }

    async fn waits(&self, phone: PhoneDigest, slot: Slot) -> Result<Waits, Unavailable> {
        let places = [slot, Slot::Public].map(|slot| SlotAddress::of(phone, slot));
        let (now, [slot, public]) = self.look(places).await?;
        Ok(slot.waits(public.cooldown, now, &Bounds::of(&self.rules)))
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        self.link.ping().await
    }
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
    rest: &'a [u8],
}

impl<'a> Answer<'a> {
    fn read(answer: &'a [u8]) -> Result<Self, Unavailable> {
        let (&letter, answer) = answer.split_first().ok_or_else(unknown_answer)?;
        let (number, rest) = answer.split_at_checked(6).ok_or_else(unknown_answer)?;
        let number = number
            .iter()
            .fold(0, |number, &byte| number << 8 | Millis::from(byte));
        Ok(Self { letter, number, rest })
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
    let state = record::decode(record, SlotAddress::of(attempt.phone, slot))?;
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
