//! Takes proofs of work.

use super::{
    limiter::Limiter,
    store::Marker,
    work::{PROOF_TTL, SolvedWork},
};
use crate::{secrets::MacKey, unavailable::Unavailable};

impl Limiter {
    /// Takes the proof of work that a request brought, before anything is counted. Tells whether it is good for the address,
    /// by its digest and its share of the keys, and was not used before.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody can tell whether it was used.
    pub async fn accept_work(
        &self,
        solved: &SolvedWork,
        (address, partition): (&str, u8),
        now: i64,
        key: &MacKey,
    ) -> Result<bool, Unavailable> {
        if !self.active().asks_for_work() {
            return Ok(false);
        }
        let outcome = match solved.is_good(address, now, key) {
            false => "refused",
            true => {
                let marker = Marker {
                    partition,
                    key: ["w:", solved.name()].concat(),
                };
                // A little longer than it is good, since clocks differ.
                match self.0.counters.use_once(&marker, 2 * PROOF_TTL).await? {
                    true => "accepted",
                    false => "used",
                }
            }
        };
        metrics::counter!("ringback_limiter_proofs_total", "outcome" => outcome).increment(1);
        Ok(outcome == "accepted")
    }
}
