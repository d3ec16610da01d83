//! Codes that are typed with the ids of their challenges: nothing else is known of whoever types one.

use std::sync::Arc;

use uuid::Uuid;

use super::{asked::Effect, codes::Codes, error::FlowError, guesses::Guessed, metrics};
use crate::{
    challenges::{GuessById, OtpCode, Proof, Purpose},
    limits::{ClientNetwork, Operation, Subject},
    run_to_completion::run_to_completion,
};

/// A code that somebody typed, and the challenge that it is said to be of.
#[derive(Debug, Clone)]
pub struct TypedById {
    pub code: OtpCode,
    pub challenge_id: Uuid,
}

impl Codes {
    /// Judges a code by the challenge of its id, and lets a right one take effect.
    ///
    /// # Errors
    /// Every way in which a code is not taken; only those that [keep the code](FlowError::keeps_code) leave a right one
    /// good.
    pub(super) async fn answer<E: Effect>(
        self: &Arc<Self>,
        client: ClientNetwork,
        purpose: Purpose,
        typed: TypedById,
        effect: E,
    ) -> Result<E::Output, FlowError> {
        let this = Arc::clone(self);
        // A client that hangs up must not leave a used code without its effect.
        let judged = async move {
            let proof = this.judge_by_id(client, purpose, &typed).await?;
            let taken = effect.take(&proof).await;
            this.close(proof, taken).await
        };
        let outcome = run_to_completion(judged).await;
        metrics::judged(purpose, &outcome);
        outcome
    }

    async fn judge_by_id(
        &self,
        client: ClientNetwork,
        purpose: Purpose,
        typed: &TypedById,
    ) -> Result<Proof, FlowError> {
        // The address is known to the challenge alone, which counts its failures: here the client counts.
        let subject = Subject::new(client);
        let admission = self.limiter.admit(Operation::OtpVerify, &subject).await?;
        let guess = GuessById {
            purpose,
            challenge_id: typed.challenge_id,
            code: &typed.code,
            attached: &admission.attached,
        };
        let judged = self.challenges.judge_by_id(&guess).await?;
        let guess = Guessed {
            client,
            user: None,
            purpose,
            address: None,
            challenge_id: Some(typed.challenge_id),
        };
        self.conclude(admission, judged, &guess).await
    }
}
