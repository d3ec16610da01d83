//! What the two changes of an address have in common.
//!
//! A pending change is a challenge at the new address, in a slot of its user: it expires with it, and there is no other trace
//! of it. The slot is named by what the account has as well. So once the address is another one, whatever else was
//! pending is found no more: of several changes one alone is made.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::codes::Codes;
use crate::{
    accounts::{SignedIn, User},
    events::{NewNotice, NoticeKind},
    language::Language,
    limits::{ClientNetwork, SolvedWork},
};

/// Who changes an address.
#[derive(Debug, Clone)]
pub struct Changer {
    pub signed_in: SignedIn,
    pub client: ClientNetwork,
    /// What messages to the changer are written in.
    pub language: Language,
    /// A proof of work, if the request brought one.
    pub work: Option<SolvedWork>,
}

/// What stands for a user who has this address, in the slot of a pending change.
pub(super) fn pending(user: &User, has: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(user.id.as_bytes());
    hash.update(has.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Uuid::from_bytes(bytes)
}

impl Codes {
    /// A notice of now.
    pub(super) fn notice(&self, kind: NoticeKind, language: Option<&Language>) -> NewNotice {
        NewNotice::new(kind, language.cloned(), self.clock.now(), self.entropy.as_ref())
    }
}
