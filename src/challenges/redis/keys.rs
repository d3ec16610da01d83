//! The keys of slots and of the outbox.

use crate::{
    partition::SlotAddress,
    redis::{Call, RedisLink},
};

/// How the names of slots begin.
const SLOT: &str = "o:";

/// The sets of a partition.
pub const SHARES: [&str; 8] = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"];
/// Adds the key of the slot at `address`.
pub fn key_slot(call: &mut Call<'_>, address: SlotAddress) {
    call.key(address.partition(), [SLOT, &address.encode()]);
}

/// The key of the slot at `address`.
pub fn slot_key(link: &RedisLink, address: SlotAddress) -> String {
    link.key(address.partition(), &[SLOT, &address.encode()].concat())
}

/// Adds the key of the set that has the entries of the slot at `address`.
pub fn key_outbox(call: &mut Call<'_>, address: SlotAddress) {
    call.key(address.partition(), [share_of(address)]);
}

/// The same key.
pub fn outbox_key(link: &RedisLink, address: SlotAddress) -> String {
    link.key(address.partition(), share_of(address))
}

fn share_of(address: SlotAddress) -> &'static str {
    SHARES[(address.bits() % SHARES.len() as u64) as usize]
}
