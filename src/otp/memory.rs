//! Challenges and outbox in this process: for a laptop, a demo, one small machine. What is in flight is lost with it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    challenge::{Bounds, Challenge, SlotState, Standing},
    status::Status,
    store::{
        Attempt, ChallengeStore, Issue, IssueOutcome, Issued, Judged, OtpRules, Proof, Slot, Verdict, Waits,
    },
};
use crate::{
    clock::Clock,
    limits::{MemoryCounters, refuses},
    phone::PhoneDigest,
    sms::{Lease, Outbox, OutboxEntry},
    unavailable::{Part, Unavailable},
};

/// Phones that are remembered at once; beyond that nothing new is issued until some expire.
const MAX_PHONES: usize = 1_000_000;

/// The store.
pub struct MemoryChallenges {
    state: Mutex<State>,
    counters: Arc<MemoryCounters>,
    pub(super) rules: OtpRules,
    lease: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) slots: HashMap<(PhoneDigest, Slot), SlotState>,
    /// When each phone may get its next code.
    cooldowns: HashMap<PhoneDigest, Cooldown>,
    pub(super) statuses: HashMap<Uuid, Status>,
    /// Entries and when their lease ends.
    outbox: HashMap<Uuid, (OutboxEntry, i64)>,
    /// The size at which the next sweep for idle keys is worth its time.
    sweep_at: usize,
    /// When the last one was, in milliseconds.
    swept_at: i64,
}

/// When a phone may get its next code; earlier, when the SMS of a decoy seems to fail.
#[derive(Clone, Copy)]
struct Cooldown {
    ends: i64,
    fails_at: Option<i64>,
}

impl Cooldown {
    fn wait(&self, now: i64) -> i64 {
        match self.fails_at {
            Some(fails_at) if fails_at <= now => 0,
            _ => (self.ends - now).max(0),
        }
    }
}

impl MemoryChallenges {
    /// An empty store, whose riders are counted in `counters`. `lease` is how long a taken-over delivery is its taker's.
    pub fn new(
        counters: Arc<MemoryCounters>,
        rules: OtpRules,
        lease: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            state: Mutex::default(),
            counters,
            rules,
            lease,
            clock,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            max_attempts: self.rules.max_attempts,
            max_failures: self.rules.max_failures,
            failure_window: millis(self.rules.failure_window),
        }
    }
}

impl State {
    /// What `judge.lua` does.
    fn judge(&mut self, attempt: &Attempt<'_>, now: i64, bounds: &Bounds) -> (Verdict, Vec<(Uuid, u8)>) {
        let (mut open, mut exhausted, mut longest_lock) = (Vec::new(), false, 0);
        for &slot in attempt.slots {
            let Some(state) = self.slots.get_mut(&(attempt.phone, slot)) else {
                continue;
            };
            let locked = state.lock_wait(now, bounds);
            longest_lock = longest_lock.max(locked);
            match state.standing(attempt.challenge_id, now, bounds) {
                _ if locked > 0 => {}
                Standing::Silent => {}
                Standing::Exhausted => exhausted = true,
                Standing::Open => match state.take(&attempt.digest) {
                    Some(challenge) => {
                        let proof = Proof {
                            phone: attempt.phone,
                            slot,
                            challenge_id: challenge.id,
                            subject: challenge.subject,
                            shadowed: challenge.shadowed.clone(),
                        };
                        return (Verdict::Right(proof), Vec::new());
                    }
                    None => open.push(slot),
                },
            }
        }
        let (mut remaining, mut charged) = (None, Vec::new());
        for slot in open {
            if let Some(state) = self.slots.get_mut(&(attempt.phone, slot)) {
                remaining = remaining.max(Some(state.charge(now, bounds)));
                charged.extend(state.owed());
            }
        }
        let verdict = match remaining {
            Some(attempts_remaining) if attempts_remaining > 0 => Verdict::Wrong { attempts_remaining },
            Some(_) => Verdict::Exceeded,
            None if exhausted => Verdict::Exceeded,
            None if longest_lock > 0 => Verdict::Locked {
                wait: micros(longest_lock * 1000),
            },
            None => Verdict::Expired,
        };
        (verdict, charged)
    }

    /// Forgets what no longer matters, whenever the store has doubled; at its bound, once a second.
    fn sweep(&mut self, now: i64, ttl: i64, bounds: &Bounds) {
        let crowded = self.is_full() && now >= self.swept_at + 1000;
        if self.size() < self.sweep_at.max(1024) && !crowded {
            return;
        }
        self.swept_at = now;
        self.slots.retain(|_, slot| !slot.is_idle(now, bounds));
        self.cooldowns.retain(|_, cooldown| cooldown.wait(now) > 0);
        self.statuses.retain(|_, status| !status.is_over(now, ttl));
        self.sweep_at = 2 * self.size();
    }

    fn size(&self) -> usize {
        self.slots.len() + self.cooldowns.len() + self.statuses.len()
    }

    fn is_full(&self) -> bool {
        self.slots.len().max(self.statuses.len()) >= MAX_PHONES
    }

    fn cooldown_wait(&self, phone: PhoneDigest, now: i64) -> i64 {
        self.cooldowns
            .get(&phone)
            .map_or(0, |cooldown| cooldown.wait(now))
    }

    /// Ends the cooldown that would have lasted until then.
    pub(super) fn end_cooldown(&mut self, phone: PhoneDigest, ends: i64) {
        if self
            .cooldowns
            .get(&phone)
            .is_some_and(|cooldown| cooldown.ends == ends)
        {
            self.cooldowns.remove(&phone);
        }
    }

    /// The challenge that an entry would deliver, if it is still the one in force.
    fn is_current(&self, entry: &OutboxEntry, now: i64) -> bool {
        let Some(slot) = Slot::decode(&entry.slot) else {
            return false;
        };
        self.slots
            .get(&(entry.phone_digest, slot))
            .is_some_and(|slot| slot.live(Some(entry.challenge_id), now).is_some())
    }
}

#[async_trait]
impl ChallengeStore for MemoryChallenges {
    async fn issue(&self, issue: &Issue<'_>) -> Result<Issued, Unavailable> {
        let (now, bounds) = (self.clock.now_ms(), self.bounds());
        let mut state = self.lock();
        state.sweep(now, millis(self.rules.ttl), &bounds);
        if state.is_full() {
            return Err(Unavailable::full(Part::Redis));
        }
        let refuse = |outcome| {
            Ok(Issued {
                outcome,
                riders: Vec::new(),
            })
        };
        let key = (issue.phone, issue.slot);
        let locked = state
            .slots
            .get(&key)
            .map_or(0, |slot| slot.lock_wait(now, &bounds));
        if locked > 0 {
            return refuse(IssueOutcome::Locked {
                wait: micros(locked * 1000),
            });
        }
        let cooling = state.cooldown_wait(issue.phone, now);
        if cooling > 0 {
            return refuse(IssueOutcome::Cooldown {
                wait: micros(cooling * 1000),
            });
        }
        let riders = self.counters.check_now(issue.riders)?;
        if refuses(issue.riders, &riders) {
            return Ok(Issued {
                outcome: IssueOutcome::Limited,
                riders,
            });
        }
        let expires = now + millis(self.rules.ttl);
        let cooldown = Cooldown {
            ends: now + millis(self.rules.resend_cooldown),
            fails_at: issue.course.fails_after().map(|after| now + after),
        };
        state.cooldowns.insert(issue.phone, cooldown);
        state.statuses.insert(issue.challenge_id, Status::of(issue, now));
        let avoid = state.slots.entry(key).or_default().issue(Challenge {
            id: issue.challenge_id,
            digest: issue.digest,
            subject: issue.subject,
            expires,
            attempts: 0,
            used: false,
            owed: issue.deliver.is_some(),
            shadowed: issue.shadowed.and(issue.riders, &riders),
        });
        let entry = issue.deliver.map(|delivery| OutboxEntry {
            challenge_id: issue.challenge_id,
            user_id: delivery.user_id,
            phone_digest: issue.phone,
            slot: issue.slot.encode(),
            key_id: delivery.key_id.to_owned(),
            country: delivery.country,
            language: delivery.language.clone(),
            avoid,
            expires_at_ms: expires,
        });
        if let (Some(entry), Some(delivery)) = (&entry, issue.deliver) {
            state
                .outbox
                .insert(entry.challenge_id, (entry.clone(), now + millis(delivery.lease)));
        }
        Ok(Issued {
            outcome: IssueOutcome::Written { entry },
            riders,
        })
    }

    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable> {
        let (now, bounds) = (self.clock.now_ms(), self.bounds());
        let mut state = self.lock();
        let riders = self.counters.check_now(attempt.riders)?;
        if refuses(attempt.riders, &riders) {
            return Ok(Judged {
                verdict: Verdict::Limited,
                riders,
                charged: Vec::new(),
            });
        }
        let (verdict, charged) = state.judge(attempt, now, &bounds);
        Ok(Judged {
            verdict,
            riders,
            charged,
        })
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        let now = self.clock.now_ms();
        if let Some(slot) = self.lock().slots.get_mut(&(proof.phone, proof.slot)) {
            slot.reinstate(proof.challenge_id, now);
        }
        Ok(())
    }

    async fn waits(&self, phone: PhoneDigest, slot: Slot) -> Result<Waits, Unavailable> {
        let (now, bounds, state) = (self.clock.now_ms(), self.bounds(), self.lock());
        let cooldown = state.cooldown_wait(phone, now);
        let slot = state.slots.get(&(phone, slot));
        let (failures, forgotten_in) = slot.map_or((0, 0), |slot| slot.failures(now, &bounds));
        Ok(Waits {
            cooldown: micros(cooldown * 1000),
            failures,
            forgotten_in: micros(forgotten_in * 1000),
        })
    }

    async fn ping(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

#[async_trait]
impl Outbox for MemoryChallenges {
    async fn renew(&self, entry: &OutboxEntry) -> Result<Lease, Unavailable> {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        if !state.is_current(entry, now) {
            state.outbox.remove(&entry.challenge_id);
            return Ok(Lease::Gone);
        }
        match state.outbox.get_mut(&entry.challenge_id) {
            Some((_, lease)) => *lease = now + millis(self.lease),
            None => return Ok(Lease::Gone),
        }
        Ok(Lease::Held)
    }

    async fn acknowledge(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        self.lock().outbox.remove(&entry.challenge_id);
        Ok(())
    }

    async fn hand_back(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        if let Some((_, lease)) = self.lock().outbox.get_mut(&entry.challenge_id) {
            *lease = 0;
        }
        Ok(())
    }

    async fn take_over(&self, limit: usize) -> Result<Vec<OutboxEntry>, Unavailable> {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let overdue = state
            .outbox
            .values()
            .filter(|(_, lease)| *lease <= now)
            .map(|(entry, _)| entry.clone());
        let overdue: Vec<_> = overdue.take(limit).collect();
        let (current, stale): (Vec<_>, Vec<_>) = overdue
            .into_iter()
            .partition(|entry| state.is_current(entry, now));
        for entry in stale {
            state.outbox.remove(&entry.challenge_id);
        }
        for entry in &current {
            if let Some((_, lease)) = state.outbox.get_mut(&entry.challenge_id) {
                *lease = now + millis(self.lease);
            }
        }
        Ok(current)
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
