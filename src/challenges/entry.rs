//! From an outbox entry, which holds no code and no address that can be read, back to both; and whether a challenge is one
//! for a given address.

use uuid::Uuid;

use super::{
    challenge_id::{candidate_slots, secret_of},
    code::OtpCode,
    destination::DestinationDigest,
    policy::Found,
    purpose::Purpose,
    service::Challenges,
    slot::{CANDIDATES, Slot, Whose},
    store::Proof,
};
use crate::{
    channel::Channel,
    delivery::{CodeSeed, Destination, OutboxEntry},
    email::EmailAddress,
    partition::SlotAddress,
    phone::PhoneNumber,
    sealed::SealedAddress,
    secrets::SecretKeys,
    unavailable::{Part, Unavailable},
};

impl Challenges {
    /// An address that no account has yet, sealed for a challenge with this seed, in whichever of its slots.
    pub(super) fn seal(
        &self,
        address: &Destination,
        slot: SlotAddress,
        seed: CodeSeed,
    ) -> Result<SealedAddress, Unavailable> {
        let (keys, challenge) = (self.keyring.current(), sealed_for(slot, seed));
        SealedAddress::seal(keys, challenge, address.expose())
            .ok_or_else(|| Unavailable::new(Part::DeliveryQueue, "an address could not be sealed"))
    }

    /// Whether a proof is one for this purpose at this address.
    pub fn is_about(&self, proof: &Proof, purpose: Purpose, destination: &Destination) -> bool {
        let keys = secret_of(&self.keyring, proof.address, proof.challenge_id);
        keys.is_some_and(|keys| leads_to(proof.address, keys, purpose, destination, proof.subject))
    }

    /// Whether a proof is of a user's own challenge for this purpose at this address.
    pub fn is_users(&self, proof: &Proof, purpose: Purpose, destination: &Destination, user: Uuid) -> bool {
        let of = |keys| Slot {
            purpose,
            destination: DestinationDigest::of(destination, keys),
            whose: Whose::User(user),
        };
        let keys = secret_of(&self.keyring, proof.address, proof.challenge_id);
        keys.is_some_and(|keys| of(keys).address() == proof.address)
    }

    /// Whether the challenge of this id, if there is one, is for this purpose at this address.
    pub fn leads_to(&self, challenge_id: Uuid, purpose: Purpose, destination: &Destination) -> bool {
        let slots = candidate_slots(&self.keyring, challenge_id);
        let mut slots = slots.zip(self.keyring.all());
        slots.any(|(slot, keys)| leads_to(slot, keys, purpose, destination, None))
    }

    /// Whether the secret that named the challenge of an outbox entry is in force here. In a rotation, an instance that
    /// knows the secret takes the entry over.
    pub fn knows_secret_of(&self, entry: &OutboxEntry) -> bool {
        secret_of(&self.keyring, entry.address, entry.challenge_id).is_some()
    }

    /// The address of an outbox entry that no account has yet. `None` where none is sealed in it, or the secret is not known
    /// here.
    pub fn unkept_address(&self, entry: &OutboxEntry) -> Option<Destination> {
        let keys = secret_of(&self.keyring, entry.address, entry.challenge_id)?;
        let challenge = sealed_for(entry.address, entry.seed);
        let address = entry.sealed.as_ref()?.open(keys, challenge)?;
        match entry.channel {
            Channel::Sms => Some(Destination::Phone(PhoneNumber::from_stored(address.to_string()))),
            Channel::Email => EmailAddress::parse(&address).ok().map(Destination::Email),
        }
    }

    /// The code of an outbox entry derived again, if the entry's challenge is for this purpose at this address.
    pub fn code_again(
        &self,
        entry: &OutboxEntry,
        purpose: Purpose,
        destination: &Destination,
    ) -> Option<OtpCode> {
        let keys = secret_of(&self.keyring, entry.address, entry.challenge_id)?;
        // Where the address is sealed, it is so for this very challenge.
        let is_for_it =
            entry.sealed.is_some() || leads_to(entry.address, keys, purpose, destination, entry.user_id);
        is_for_it.then(|| {
            OtpCode::derive(
                &keys.code,
                purpose,
                entry.challenge_id,
                entry.seed,
                self.rules.length,
            )
        })
    }
}

/// What an address is sealed for: the seed of a challenge in this slot, or in one beside it.
fn sealed_for(slot: SlotAddress, seed: CodeSeed) -> [u8; 16] {
    let mut challenge = [0; 16];
    let (place, random) = challenge.split_at_mut(8);
    place.copy_from_slice(&slot.beside(0).bits().to_be_bytes());
    random.copy_from_slice(seed.as_bytes());
    challenge
}

/// Whether a slot is one of this purpose at this address: the public one, that of the user, or a candidate.
fn leads_to(
    address: SlotAddress,
    keys: &SecretKeys,
    purpose: Purpose,
    destination: &Destination,
    user: Option<Uuid>,
) -> bool {
    let destination = DestinationDigest::of(destination, keys);
    let address_of = |whose| {
        let slot = Slot {
            purpose,
            destination,
            whose,
        };
        slot.address()
    };
    match purpose.policy().found {
        Found::ById => {
            let candidates = (0..CANDIDATES).map(Whose::Candidate);
            let mut all = candidates.chain((0..CANDIDATES).map(Whose::Known));
            all.any(|whose| address_of(whose) == address)
        }
        Found::ByAddress | Found::ByUser => [Some(Whose::Public), user.map(Whose::User)]
            .into_iter()
            .flatten()
            .any(|whose| address_of(whose) == address),
    }
}
