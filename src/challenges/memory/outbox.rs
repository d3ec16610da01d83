//! The outbox in this process.

use async_trait::async_trait;

use crate::{
    challenges::{memory::MemoryChallenges, millis::millis, state::SlotState},
    delivery::{Lease, Outbox, OutboxEntry},
    unavailable::Unavailable,
};

#[async_trait]
impl Outbox for MemoryChallenges {
    async fn renew(&self, entry: &OutboxEntry) -> Result<Lease, Unavailable> {
        let (now, place) = (self.clock.now_ms(), (entry.address, entry.challenge_id));
        let mut state = self.lock();
        let slot = state.slots.get(&entry.address);
        if slot.is_none_or(|slot| slot.live(Some(entry.challenge_id), now).is_none()) {
            state.pending.remove(&place);
            return Ok(Lease::Gone);
        }
        Ok(match state.pending.get_mut(&place) {
            Some(leased_until) => {
                *leased_until = now + millis(self.lease);
                Lease::Held
            }
            None => Lease::Gone,
        })
    }

    async fn acknowledge(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        self.lock().pending.remove(&(entry.address, entry.challenge_id));
        Ok(())
    }

    async fn hand_back(&self, entry: &OutboxEntry) -> Result<(), Unavailable> {
        let mut state = self.lock();
        if let Some(leased_until) = state.pending.get_mut(&(entry.address, entry.challenge_id)) {
            *leased_until = 0;
        }
        Ok(())
    }

    async fn take_over(&self, limit: usize) -> Result<Vec<OutboxEntry>, Unavailable> {
        let (now, mut state) = (self.clock.now_ms(), self.lock());
        let overdue = state.pending.iter().filter(|(_, lease)| **lease <= now);
        let overdue: Vec<_> = overdue.map(|(place, _)| *place).take(limit).collect();
        let mut taken = Vec::new();
        for (address, id) in overdue {
            let slot = state.slots.get(&address);
            let challenge = slot.and_then(|slot: &SlotState| slot.live(Some(id), now));
            match challenge.and_then(|challenge| challenge.entry(address, now)) {
                Some(entry) => {
                    state.pending.insert((address, id), now + millis(self.lease));
                    taken.push(entry);
                }
                None => {
                    state.pending.remove(&(address, id));
                }
            }
        }
        Ok(taken)
    }
}
