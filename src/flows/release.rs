//! What operators do for somebody whom the OTP rules themselves keep from the next code.

use uuid::Uuid;

use super::Flows;
use crate::{challenges::Hold, delivery::Destination, unavailable::Unavailable};

impl Flows {
    /// Forgets what keeps an address from its next code, for whoever asks without a token, for the accounts that are
    /// found by the address, and for `user`.
    ///
    /// # Errors
    /// [`Unavailable`] when the accounts or the challenges can't be reached.
    pub async fn release(&self, hold: Hold, to: &Destination, user: Option<Uuid>) -> Result<(), Unavailable> {
        let proofs = &self.verify_phone.proofs;
        let found = match to {
            Destination::Phone(phone) => {
                let claims = proofs.claims(phone, self.codes.clock.now()).await?;
                [claims.verified_by, claims.any_claimant]
            }
            Destination::Email(email) => [proofs.email_holder(email).await?.map(|holder| holder.user), None],
        };
        let users: Vec<_> = found.into_iter().flatten().chain(user).collect();
        self.codes.challenges.release(hold, to, &users).await
    }
}
