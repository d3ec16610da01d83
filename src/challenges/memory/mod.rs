//! Challenges and outbox in this process: for a laptop, a demo, one small machine. What is in flight is lost with it.

mod outbox;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    millis::{Millis, from_millis, millis},
    pools::{Pool, Pools},
    slot::{Slot, failures_at},
    state::{Bounds, Challenge, SlotState, Standing},
    status::{StatusSnapshot, Waits},
    store::{
        Attempt, AttemptById, ChallengeStore, Hold, Issue, IssueOutcome, Issued, Judged, OtpRules, Place,
        Proof, Verdict, WhenFull,
    },
};
use crate::{
    clock::Clock,
    limits::{MemoryCounters, refuses},
    partition::SlotAddress,
    provider::DeliveryStatus,
    unavailable::{Part, Unavailable},
};

/// Slots that are remembered at once; beyond that nothing new is issued until some expire.
const MAX_SLOTS: usize = 1_000_000;

/// The store.
pub struct MemoryChallenges {
    state: Mutex<State>,
    counters: Arc<MemoryCounters>,
    pub(super) rules: OtpRules,
    pub(super) lease: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) slots: HashMap<SlotAddress, SlotState>,
    /// Challenges whose message is pending, and when their lease ends.
    pub(super) pending: HashMap<(SlotAddress, Uuid), Millis>,
    /// The size at which the next sweep for idle slots is worth its time.
    sweep_at: usize,
    /// When the last one was.
    swept_at: Millis,
}

impl MemoryChallenges {
    /// An empty store, whose attached counters are among `counters`. `lease` is how long a taken-over delivery is its taker's.
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

    pub(super) fn bounds(&self) -> Bounds {
        Bounds::of(&self.rules)
    }
}

impl State {
    /// What `judge.lua` does.
    fn judge(&mut self, attempt: &Attempt<'_>, now: Millis, bounds: &Bounds) -> (Verdict, Vec<(Uuid, u8)>) {
        let (mut open, mut exhausted, mut longest_lock) = (Vec::new(), false, 0);
        let claimants_at = attempt.claimants_at.filter(|_| attempt.users() == 2);
        let claimants_at = claimants_at.map(|slot| slot.address());
        let all_locked = claimants_at.and_then(|at| self.slots.get(&at));
        let all_locked = all_locked.map_or(0, |slot| slot.lock_wait(&[Pool::Claimants], now, bounds));
        for (index, &slot) in attempt.slots.iter().enumerate() {
            let (address, pool) = (slot.address(), attempt.pool(index));
            let of_all = if pool == Pool::Own { all_locked } else { 0 };
            let Some(state) = self.slots.get_mut(&address) else {
                longest_lock = longest_lock.max(of_all);
                continue;
            };
            let locked = state.lock_wait(pool.locked_with(), now, bounds).max(of_all);
            longest_lock = longest_lock.max(locked);
            match state.standing(attempt.challenge_id, now, bounds) {
                _ if locked > 0 => {}
                Standing::Silent => {}
                Standing::Exhausted => exhausted = true,
                Standing::Open => match state.take(&attempt.digest) {
                    Some(challenge) => {
                        let proof = challenge.proof(address);
                        return (Verdict::Right(proof), Vec::new());
                    }
                    None => open.push((address, pool)),
                },
            }
        }
        let (mut remaining, mut charged) = (None, Vec::new());
        for (address, pool) in open {
            if let Some(state) = self.slots.get_mut(&address) {
                state.pools.charge(pool, now, &bounds.most);
                remaining = remaining.max(Some(state.charge_attempt(bounds)));
                charged.extend(state.charged());
            }
            if let Some(at) = claimants_at.filter(|_| pool == Pool::Own) {
                let pools = &mut self.slots.entry(at).or_default().pools;
                pools.charge(Pool::Claimants, now, &bounds.most);
            }
        }
        let verdict = match remaining {
            Some(attempts_remaining) if attempts_remaining > 0 => Verdict::Wrong { attempts_remaining },
            Some(_) => Verdict::Exceeded,
            None if exhausted => Verdict::Exceeded,
            None if longest_lock > 0 => Verdict::Locked {
                wait: from_millis(longest_lock),
            },
            None => Verdict::Expired,
        };
        (verdict, charged)
    }

    /// What `judge_by_id.lua` does.
    fn judge_by_id(
        &mut self,
        attempt: &AttemptById<'_>,
        now: Millis,
        bounds: &Bounds,
    ) -> (Verdict, Vec<(Uuid, u8)>) {
        let AttemptById {
            address,
            challenge_id,
            purpose,
            ..
        } = *attempt;
        let nothing = |verdict| (verdict, Vec::new());
        let failures_at = failures_at(address, purpose);
        let failing = self.slots.get(&failures_at);
        let locked = failing.map_or(0, |failing| failing.lock_wait(&[Pool::WithId], now, bounds));
        let Some(state) = self.slots.get_mut(&address) else {
            return nothing(Verdict::Expired);
        };
        let is_meant = |challenge: &Challenge| challenge.purpose == purpose;
        if !state.live(Some(challenge_id), now).is_some_and(is_meant) {
            return nothing(Verdict::Expired);
        }
        if locked > 0 {
            let wait = from_millis(locked);
            return nothing(Verdict::Locked { wait });
        }
        if state.standing(Some(challenge_id), now, bounds) == Standing::Exhausted {
            return nothing(Verdict::Exceeded);
        }
        if let Some(challenge) = state.take(&attempt.digest) {
            return nothing(Verdict::Right(challenge.proof(address)));
        }
        let (attempts_remaining, charged) = (state.charge_attempt(bounds), state.charged());
        let pools = &mut self.slots.entry(failures_at).or_default().pools;
        pools.charge(Pool::WithId, now, &bounds.most);
        let verdict = match attempts_remaining {
            0 => Verdict::Exceeded,
            attempts_remaining => Verdict::Wrong { attempts_remaining },
        };
        (verdict, charged.into_iter().collect())
    }

    /// Which of the places is written to: as `issue_candidate.lua` has it, where there are several.
    fn choose<'a>(&self, issue: &'a Issue<'_>, now: Millis, bounds: &Bounds) -> &'a Place {
        let rank = |place: &&Place| {
            let slot = self.slots.get(&place.slot.address());
            let challenge = slot.and_then(|slot| slot.challenge.as_ref());
            match challenge.is_some_and(|challenge| challenge.id == place.challenge_id) {
                true => -1,
                false => slot.map_or(0, |slot| slot.rank(now, bounds)),
            }
        };
        issue.places().min_by_key(rank).unwrap_or(&issue.place)
    }

    /// Forgets what no longer matters, whenever the store has doubled; at its bound, once a second.
    fn sweep(&mut self, now: Millis, bounds: &Bounds) {
        let crowded = self.is_full() && now >= self.swept_at + 1000;
        if self.slots.len() < self.sweep_at.max(1024) && !crowded {
            return;
        }
        self.swept_at = now;
        self.slots.retain(|_, slot| !slot.is_idle(now, bounds));
        self.sweep_at = 2 * self.slots.len();
    }

    fn is_full(&self) -> bool {
        self.slots.len() >= MAX_SLOTS
    }

    /// When the cooldown ends that the slot at this address keeps.
    fn cooldown_ends(&self, address: SlotAddress) -> Millis {
        self.slots.get(&address).map_or(0, |slot| slot.cooldown_ends)
    }
}

#[async_trait]
impl ChallengeStore for MemoryChallenges {
    async fn issue(&self, issue: &Issue<'_>) -> Result<Issued, Unavailable> {
        let (now, bounds) = (self.clock.now_ms(), self.bounds());
        let mut state = self.lock();
        state.sweep(now, &bounds);
        if state.is_full() {
            return Err(Unavailable::full(Part::Redis));
        }
        let unasked = |outcome| {
            Ok(Issued {
                outcome,
                attached: Vec::new(),
            })
        };
        let place = state.choose(issue, now, &bounds);
        let (address, cooldown_at) = (place.slot.address(), place.slot.cooldown_slot().address());
        let challenge_id = place.challenge_id;
        let ends = state.cooldown_ends(cooldown_at);
        let empty = SlotState::default();
        let slot = state.slots.get(&address).unwrap_or(&empty);
        let challenge = slot.challenge.as_ref();
        if let Some(done) = challenge.filter(|challenge| challenge.id == challenge_id) {
            let entry = done.entry(address, now);
            return unasked(IssueOutcome::Written { challenge_id, entry });
        }
        let failing = state.slots.get(&place.slot.failures_slot().address());
        let pools = place.slot.pools();
        let locked = failing.map_or(0, |failing| failing.lock_wait(pools, now, &bounds));
        if locked > 0 {
            return unasked(IssueOutcome::Locked {
                wait: from_millis(locked),
            });
        }
        let cooling = slot.cooldown_wait(ends, now, &bounds);
        if cooling > 0 {
            return unasked(IssueOutcome::Cooldown {
                wait: from_millis(cooling),
            });
        }
        let attached = self.counters.check_now(issue.attached, issue.message.is_some())?;
        if refuses(issue.attached, &attached) {
            return Ok(Issued {
                outcome: IssueOutcome::Limited,
                attached,
            });
        }
        let shadowed = issue.shadowed.and(issue.attached, &attached);
        let slot = state.slots.entry(address).or_default();
        slot.issue(Challenge::new(
            issue,
            place,
            shadowed,
            now,
            millis(self.rules.ttl),
        ));
        let entry = slot
            .challenge
            .as_ref()
            .and_then(|challenge| challenge.entry(address, now));
        // One that ended early for this user runs on for everybody else.
        if ends <= now {
            state.slots.entry(cooldown_at).or_default().cooldown_ends = now + bounds.cooldown;
        }
        if let Some(message) = issue.message {
            let leased_until = now + millis(message.lease);
            state.pending.insert((address, challenge_id), leased_until);
        }
        Ok(Issued {
            outcome: IssueOutcome::Written { challenge_id, entry },
            attached,
        })
    }

    async fn judge(&self, attempt: &Attempt<'_>) -> Result<Judged, Unavailable> {
        let (now, bounds) = (self.clock.now_ms(), self.bounds());
        let mut state = self.lock();
        let attached = self.counters.check_now(attempt.attached, false)?;
        if refuses(attempt.attached, &attached) {
            return Ok(Judged {
                verdict: Verdict::Limited,
                attached,
                charged: Vec::new(),
            });
        }
        let (verdict, charged) = state.judge(attempt, now, &bounds);
        if let (Verdict::Right(proof), Some(refund)) = (&verdict, attempt.refund)
            && proof.has_message
        {
            self.counters.refund_now(refund, proof.has_worked);
        }
        Ok(Judged {
            verdict,
            attached,
            charged,
        })
    }

    async fn judge_by_id(&self, attempt: &AttemptById<'_>) -> Result<Judged, Unavailable> {
        let (now, bounds) = (self.clock.now_ms(), self.bounds());
        let mut state = self.lock();
        let attached = self.counters.check_now(attempt.attached, false)?;
        let (verdict, charged) = match refuses(attempt.attached, &attached) {
            true => (Verdict::Limited, Vec::new()),
            false => state.judge_by_id(attempt, now, &bounds),
        };
        Ok(Judged {
            verdict,
            attached,
            charged,
        })
    }

    async fn reinstate(&self, proof: &Proof) -> Result<(), Unavailable> {
        let now = self.clock.now_ms();
        if let Some(slot) = self.lock().slots.get_mut(&proof.address) {
            slot.reinstate(proof.challenge_id, now);
        }
        Ok(())
    }

    async fn waits(&self, slot: &Slot) -> Result<Waits, Unavailable> {
        let (now, bounds, state) = (self.clock.now_ms(), self.bounds(), self.lock());
        let ends = state.cooldown_ends(slot.cooldown_slot().address());
        let failing = state.slots.get(&slot.failures_slot().address());
        let counted = failing.map_or(Pools::default(), |failing| failing.pools);
        let known = state.slots.get(&slot.address()).cloned().unwrap_or_default();
        Ok(known.waits(&counted, slot.pools(), ends, now, &bounds))
    }

    async fn release(&self, slots: &[Slot], hold: Hold) -> Result<(), Unavailable> {
        let mut state = self.lock();
        for slot in slots {
            if let Some(slot) = state.slots.get_mut(&slot.address()) {
                slot.release(hold);
            }
        }
        Ok(())
    }

    async fn snapshot(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
    ) -> Result<Option<StatusSnapshot>, Unavailable> {
        let (now, bounds, state) = (self.clock.now_ms(), self.bounds(), self.lock());
        let Some(slot) = state.slots.get(&address) else {
            return Ok(None);
        };
        let Some(challenge) = slot.known(challenge_id, now) else {
            return Ok(None);
        };
        let ends = state.cooldown_ends(challenge.cooldown_at.unwrap_or(address));
        let failing = state.slots.get(&failures_at(address, challenge.purpose));
        let counted = failing.map_or(Pools::default(), |failing| failing.pools);
        Ok(slot.snapshot(challenge_id, &counted, ends, now, &bounds))
    }

    async fn note_status(
        &self,
        address: SlotAddress,
        challenge_id: Uuid,
        status: DeliveryStatus,
        provider: &str,
    ) -> Result<bool, Unavailable> {
        let now = self.clock.now_ms();
        let mut state = self.lock();
        let slot = state.slots.get_mut(&address);
        Ok(slot.is_some_and(|slot| slot.note_status(challenge_id, status, provider, now)))
    }

    async fn ping(&self) -> Result<WhenFull, Unavailable> {
        Ok(WhenFull::Refuses)
    }
}
