//! What an operator has forgotten.

use std::sync::LazyLock;

use ::redis::Script;

use super::{
    RedisChallenges,
    keys::key_slot,
    scripts::{script, script_of},
    wire::Packed,
};
use crate::{
    challenges::{slot::Slot, store::Hold},
    unavailable::Unavailable,
};

static RELEASE: LazyLock<Script> = script!("release.lua");

impl RedisChallenges {
    /// Forgets what keeps these slots of one destination from their next code.
    pub(super) async fn forget(&self, slots: &[Slot], hold: Hold) -> Result<(), Unavailable> {
        let facts = Packed::at(self.offset())
            .most(&self.rules)
            .bytes(&[u8::from(hold == Hold::Failures)]);
        self.link
            .eval(&RELEASE, slots.len(), |call| {
                slots.iter().for_each(|slot| key_slot(call, slot.address()));
                call.arg(facts.0);
            })
            .await
    }
}
