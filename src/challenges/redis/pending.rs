//! A message that is pending, as the outbox has it.

use uuid::Uuid;

use super::keys::outbox_key;
use crate::{partition::SlotAddress, redis::RedisLink, unavailable::Unavailable};

/// Bytes of a member.
pub(super) const MEMBER: usize = SlotAddress::LOCAL_BYTES + 8;

/// The half of a challenge's id that tells it from the others of its slot.
pub(super) type Name = [u8; 8];

pub(super) fn name(challenge_id: Uuid) -> Name {
    challenge_id.as_u64_pair().0.to_be_bytes()
}

/// A challenge in a set.
pub(super) fn member(address: SlotAddress, name: Name) -> [u8; MEMBER] {
    let mut member = [0; MEMBER];
    let (place, rest) = member.split_at_mut(SlotAddress::LOCAL_BYTES);
    place.copy_from_slice(&address.local());
    rest.copy_from_slice(&name);
    member
}

/// Ends the lease of a message, if it is still pending: whoever sweeps next takes it over.
pub(super) async fn make_due(
    link: &RedisLink,
    address: SlotAddress,
    challenge_id: Uuid,
) -> Result<(), Unavailable> {
    let mut pipeline = ::redis::pipe();
    pipeline
        .cmd("ZADD")
        .arg(outbox_key(link, address))
        .arg("XX")
        .arg(0)
        .arg(&member(address, name(challenge_id))[..])
        .ignore();
    link.pipeline(&pipeline).await
}
