//! Proofs of work: a request for a code that brought one, and one that has to.

use super::{codes::Codes, error::FlowError};
use crate::{
    challenges::DestinationDigest,
    limits::{SolvedWork, work_challenge},
    unavailable::Unavailable,
};

impl Codes {
    /// Whether a proof of work that a request brought is good for the address.
    pub(super) async fn accepts_work(
        &self,
        solved: &SolvedWork,
        address: DestinationDigest,
    ) -> Result<bool, Unavailable> {
        let key = &self.challenges.keyring.current().work;
        let now = self.clock.now().timestamp();
        let at = (address.encode(), address.partition());
        self.limiter.accept_work(solved, (&at.0, at.1), now, key).await
    }

    /// The same error; where a proof of work would help, with a challenge to one.
    pub(super) fn asking_for_work(&self, error: FlowError, address: DestinationDigest) -> FlowError {
        let FlowError::Limited(refusal) = error else {
            return error;
        };
        let Some(work) = refusal.work else {
            return FlowError::Limited(refusal);
        };
        self.limiter.note_asked(&refusal.rule);
        let key = &self.challenges.keyring.current().work;
        let now = self.clock.now().timestamp();
        let challenge = work_challenge(&address.encode(), work, now, key, self.entropy.as_ref());
        FlowError::ProofRequired(Box::new(challenge))
    }
}
