//! How far the message of a challenge has come: who may know it, and who tells it.

use std::time::Duration;

use uuid::Uuid;

use super::{codes::Codes, error::FlowError, late_receipts::Receipt};
use crate::{
    channel::Channel,
    ledger::What,
    limits::{ClientNetwork, Operation, Subject},
    provider::{DeliveryStatus, StatusUpdate},
    unavailable::Unavailable,
};

/// What is told of a challenge's message.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub channel: Channel,
    pub status: DeliveryStatus,
    /// Until the address may have another code; zero if now.
    pub resend_after: Duration,
}

impl Codes {
    /// How far the message of a challenge has come, and when its address may have another. With the token of the user
    /// whose challenge it is, the truth; else what a schedule says that is the same for every challenge, decoy or not.
    ///
    /// # Errors
    /// `UnknownChallenge`, `Limited`, `Unavailable`.
    pub async fn status(
        &self,
        client: ClientNetwork,
        user: Option<Uuid>,
        challenge_id: Uuid,
    ) -> Result<Progress, FlowError> {
        let subject = Subject::new(client);
        drop(self.limiter.admit(Operation::OtpStatus, &subject).await?);
        let found = self.challenges.snapshot(challenge_id).await?;
        let found = found.ok_or(FlowError::UnknownChallenge)?;
        let (status, waits) = found.for_asker(user);
        Ok(Progress {
            channel: found.channel,
            status,
            resend_after: waits.cooldown.max(waits.locked),
        })
    }

    /// Takes a provider's receipt. Repeated, late and disordered ones are harmless, and so is one for a challenge that
    /// nobody knows.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is down: the provider may send it again.
    pub async fn receive(
        &self,
        challenge_id: Uuid,
        provider: &'static str,
        update: &StatusUpdate,
    ) -> Result<(), Unavailable> {
        metrics::counter!("ringback_sms_receipts_total", "provider" => provider, "status" => update.status.name())
            .increment(1);
        self.note(challenge_id, carried(provider, update));
        let receipt = Receipt {
            challenge_id,
            provider,
            status: update.status,
        };
        self.late_receipts.take(receipt).await
    }
}

/// A provider's word in the words of the ledger.
pub(super) fn carried(provider: &'static str, update: &StatusUpdate) -> What {
    What::Carried {
        status: update.status,
        provider,
        message_id: update.message_id.clone(),
        error_code: update.error_code,
        price: update.price.clone(),
    }
}
