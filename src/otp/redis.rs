//! Challenges and outbox in Redis, for any number of instances: one script a step, one slot of a Cluster a script.
//!
//! Keys, all under the phone's partition: `o:<phone digest>:<slot>` a slot (hash), `c:<phone digest>` the cooldown
//! (string), `s:<challenge id>` its status (`status/redis.rs`), `x` the outbox of the partition (sorted set, scored by
//! the end of the lease). The riders' counters lie where the limiter says.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU8, Ordering},
    },
    time::Duration,
};

use ::redis::Script;
use async_trait::async_trait;

use super::{
    status::NewRecord,
    store::{
        Attempt, ChallengeStore, Issue, IssueOutcome, Issued, Judged, OtpRules, Proof, Slot, Verdict, Waits,
        decode_id, encode_id,
    },
};
use crate::{
    limits::{Shadowed, Verdicts, add_counters},
    phone::{Country, PhoneDigest},
    redis::{PARTITIONS, RedisLink},
    sms::{Language, Lease, Outbox, OutboxEntry},
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
static WAITS: LazyLock<Script> = script!("waits.lua");
static RENEW: LazyLock<Script> = script!("renew.lua");
static TAKE_OVER: LazyLock<Script> = script!("take_over.lua");

/// The store.
pub struct RedisChallenges {
    pub(super) link: Arc<RedisLink>,
    pub(super) rules: OtpRules,
    lease: Duration,
    /// Milliseconds by which a test moves Redis's clock; 0 in life.
    clock_offset: Arc<AtomicI64>,
    /// Where the next sweep for overdue deliveries begins.
    next_partition: AtomicU8,
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
            next_partition: AtomicU8::new(0),
        }
    }

    pub(super) fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    pub(super) fn slot_key(&self, phone: PhoneDigest, slot: &str) -> String {
        self.link.key(
            phone.partition(PARTITIONS),
            &format!("o:{}:{slot}", phone.encode()),
        )
    }

    pub(super) fn cooldown_key(&self, phone: PhoneDigest) -> String {
        self.link
            .key(phone.partition(PARTITIONS), &format!("c:{}", phone.encode()))
    }

    fn outbox_key(&self, partition: u8) -> String {
        self.link.key(partition, "x")
    }
}

#[async_trait]
impl ChallengeStore for RedisChallenges {
    async fn issue(&self, issue: &Issue<'_>) -> Result<Issued, Unavailable> {
        let partition = issue.phone.partition(PARTITIONS);
        let slot = issue.slot.encode();
        let member = issue.deliver.map(|delivery| {
            let (challenge, user) = (encode_id(issue.challenge_id), encode_id(delivery.user_id));
            format!(
                "{challenge}|{user}|{}|{slot}|{}|{}|{}|",
                issue.phone.encode(),
                delivery.key_id,
                delivery.country,
                delivery.language.as_str()
            )
        });
        let lease = issue.deliver.map_or(Duration::ZERO, |delivery| delivery.lease);
        let record = NewRecord::of(issue);
        let (outcome, number, riders, avoid): (String, i64, Verdicts, String) = self
            .link
            .eval(&ISSUE, |script| {
                script
                    .key(self.slot_key(issue.phone, &slot))
                    .key(self.cooldown_key(issue.phone))
                    .key(self.outbox_key(partition))
                    .key(self.status_key(issue.challenge_id))
                    .arg(self.offset())
                    .arg(encode_id(issue.challenge_id))
                    .arg(issue.digest.as_bytes())
                    .arg(millis(self.rules.ttl))
                    .arg(millis(self.rules.resend_cooldown))
                    .arg(self.rules.max_failures)
                    .arg(millis(self.rules.failure_window))
                    .arg(issue.subject.map(encode_id).unwrap_or_default())
                    .arg(member.as_deref().unwrap_or_default())
                    .arg(millis(lease))
                    .arg(issue.shadowed.as_str())
                    .arg(&record.course[..])
                    .arg(record.place)
                    .arg(record.fails_after);
                add_counters(script, &self.link, issue.riders);
            })
            .await?;
        let outcome = match outcome.as_str() {
            "written" => {
                let entry = issue.deliver.map(|delivery| OutboxEntry {
                    challenge_id: issue.challenge_id,
                    user_id: delivery.user_id,
                    phone_digest: issue.phone,
                    slot,
                    key_id: delivery.key_id.to_owned(),
                    country: delivery.country,
                    language: delivery.language.clone(),
                    avoid: Some(avoid).filter(|name| !name.is_empty()),
                    expires_at_ms: number,
                });
                IssueOutcome::Written { entry }
            }
            "cooldown" => IssueOutcome::Cooldown {
                wait: from_millis(number),
            },
            "locked" => IssueOutcome::Locked {
                wait: from_millis(number),
            },
            "limited" => IssueOutcome::Limited,
            _ => return Err(unknown_answer()),
        };
        Ok(Issued {
            outcome,
            riders: riders.0,
        })
    }

    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable> {
        let (verdict, number, riders, (index, challenge, subject, shadowed), charged): (
            String,
            i64,
            Verdicts,
            (usize, String, String, String),
            Vec<(String, u8)>,
        ) = self
            .link
            .eval(&JUDGE, |script| {
                for slot in attempt.slots {
                    script.key(self.slot_key(attempt.phone, &slot.encode()));
                }
                script
                    .arg(self.offset())
                    .arg(attempt.digest.as_bytes())
                    .arg(attempt.challenge_id.map(encode_id).unwrap_or_default())
                    .arg(self.rules.max_attempts)
                    .arg(self.rules.max_failures)
                    .arg(millis(self.rules.failure_window))
                    .arg(attempt.slots.len());
                add_counters(script, &self.link, attempt.riders);
            })
            .await?;
        let verdict = match verdict.as_str() {
            "right" => {
                let slot = index
                    .checked_sub(1)
                    .and_then(|index| attempt.slots.get(index).copied());
                let (Some(slot), Some(challenge_id)) = (slot, decode_id(&challenge)) else {
                    return Err(unknown_answer());
                };
                Verdict::Right(Proof {
                    phone: attempt.phone,
                    slot,
                    challenge_id,
                    subject: decode_id(&subject),
                    shadowed: Shadowed::from_stored(shadowed),
                })
            }
            "wrong" => Verdict::Wrong {
                attempts_remaining: u8::try_from(number).unwrap_or_default(),
            },
            "exceeded" => Verdict::Exceeded,
            "expired" => Verdict::Expired,
            "locked" => Verdict::Locked {
                wait: from_millis(number),
            },
            "limited" => Verdict::Limited,
            _ => return Err(unknown_answer()),
        };
        let charged = charged
            .iter()
            .filter_map(|(id, attempts)| Some((decode_id(id)?, *attempts)));
        Ok(Judged {
            verdict,
            riders: riders.0,
            charged: charged.collect(),
        })
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        self.link
            .eval(&REINSTATE, |script| {
                script
                    .key(self.slot_key(proof.phone, &proof.slot.encode()))
                    .arg(self.offset())
                    .arg(encode_id(proof.challenge_id));
            })
            .await
    }

    async fn waits(&self, phone: PhoneDigest, slot: Slot) -> Result<Waits, Unavailable> {
        let (cooldown, failures, forgotten_in) = self
            .link
            .eval(&WAITS, |script| {
                script
                    .key(self.slot_key(phone, &slot.encode()))
                    .key(self.cooldown_key(phone))
                    .arg(self.offset())
                    .arg(millis(self.rules.failure_window));
            })
            .await?;
        Ok(Waits {
            cooldown: from_millis(cooldown),
            failures,
            forgotten_in: from_millis(forgotten_in),
        })
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        self.link.ping().await
    }
}

#[async_trait]
impl Outbox for RedisChallenges {
    async fn renew(&self, entry: &OutboxEntry) -> Result<Lease, Unavailable> {
        let held: bool = self
            .link
            .eval(&RENEW, |script| {
                script
                    .key(self.outbox_key(entry.phone_digest.partition(PARTITIONS)))
                    .key(self.slot_key(entry.phone_digest, &entry.slot))
                    .arg(self.offset())
                    .arg(member(entry))
                    .arg(encode_id(entry.challenge_id))
                    .arg(millis(self.lease));
            })
            .await?;
        Ok(if held { Lease::Held } else { Lease::Gone })
    }

    async fn acknowledge(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        let mut pipeline = ::redis::pipe();
        let outbox = self.outbox_key(entry.phone_digest.partition(PARTITIONS));
        pipeline.zrem(outbox, member(entry)).ignore();
        self.link.pipeline(&pipeline).await
    }

    async fn hand_back(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        let mut pipeline = ::redis::pipe();
        let outbox = self.outbox_key(entry.phone_digest.partition(PARTITIONS));
        pipeline
            .cmd("ZADD")
            .arg(outbox)
            .arg("XX")
            .arg(0)
            .arg(member(entry))
            .ignore();
        self.link.pipeline(&pipeline).await
    }

    /// Asks each partition once, as many at a time as entries are wanted, beginning where the last sweep ended so that
    /// none starves. A partition whose server is away is left out: the others' entries are leased by then.
    async fn take_over(&self, limit: usize) -> Result<Vec<OutboxEntry>, Unavailable> {
        let (mut taken, mut left) = (Vec::new(), usize::from(PARTITIONS));
        while left > 0 && taken.len() < limit {
            let wanted = limit - taken.len();
            let asked = wanted.min(left);
            let share = i64::try_from(wanted / asked).unwrap_or(i64::MAX);
            let arguments = [self.offset(), millis(self.lease), share];
            let calls: Vec<_> = (0..asked)
                .map(|_| self.next_partition.fetch_add(1, Ordering::Relaxed) % PARTITIONS)
                .map(|partition| (self.outbox_key(partition), arguments))
                .collect();
            let members: Vec<Vec<String>> = match self.link.eval_where_possible(&TAKE_OVER, &calls).await {
                Ok(members) => members,
                Err(error) if taken.is_empty() => return Err(error),
                Err(_) => break,
            };
            taken.extend(members.iter().flatten().filter_map(|member| parse_member(member)));
            left -= asked;
        }
        Ok(taken)
    }
}

fn member(entry: &OutboxEntry) -> String {
    let (challenge, user) = (encode_id(entry.challenge_id), encode_id(entry.user_id));
    let OutboxEntry {
        slot,
        key_id,
        country,
        expires_at_ms,
        ..
    } = entry;
    format!(
        "{challenge}|{user}|{}|{slot}|{key_id}|{country}|{}|{}|{expires_at_ms}",
        entry.phone_digest.encode(),
        entry.language.as_str(),
        entry.avoid.as_deref().unwrap_or_default()
    )
}

fn parse_member(member: &str) -> Option<OutboxEntry> {
    let mut parts = member.split('|');
    let mut next = || parts.next();
    Some(OutboxEntry {
        challenge_id: decode_id(next()?)?,
        user_id: decode_id(next()?)?,
        phone_digest: PhoneDigest::decode(next()?)?,
        slot: next()?.to_owned(),
        key_id: next()?.to_owned(),
        country: Country::parse(next()?)?,
        language: Language::parse(next()?)?,
        avoid: next().map(str::to_owned).filter(|name| !name.is_empty()),
        expires_at_ms: next()?.parse().ok()?,
    })
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn from_millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

pub(super) fn unknown_answer() -> Unavailable {
    Unavailable::new(Part::Redis, "an answer that no script of ours gives")
}
