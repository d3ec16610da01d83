//! What whoever waits for an SMS may ask.

use std::time::Duration;

use uuid::Uuid;

use super::{error::OtpError, otp::Otp, reports::state_and_stage};
use crate::{
    challenges::{News, places},
    ledger::{Event, What},
    limits::{ClientNetwork, Operation, Subject},
    provider::{DeliveryStatus, StatusUpdate},
    unavailable::Unavailable,
};

/// How an SMS fares that was asked for, or seemed to be.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub status: DeliveryStatus,
    /// Until the phone may have another code; zero if now.
    pub resend_after: Duration,
}

impl Otp {
    /// How the SMS of a challenge fares, and when the phone may have another. A decoy's seems to fare like any.
    ///
    /// # Errors
    /// `UnknownChallenge`, `Limited`, `Unavailable`.
    pub async fn status(&self, client: ClientNetwork, challenge_id: Uuid) -> Result<Progress, OtpError> {
        drop(
            self.limiter
                .admit(Operation::OtpStatus, &Subject::new(client))
                .await?,
        );
        for address in places(&self.keyring, challenge_id) {
            let Some(found) = self.statuses.recall(address, challenge_id).await? else {
                continue;
            };
            let locked = match found.waits.failures >= self.rules.max_failures {
                true => found.waits.forgotten_in,
                false => Duration::ZERO,
            };
            return Ok(Progress {
                status: match found.pending {
                    Some(pending) => self.courses.meanwhile(pending, self.clock.now_ms()),
                    None => found.status,
                },
                resend_after: found.waits.cooldown.max(locked),
            });
        }
        Err(OtpError::UnknownChallenge)
    }

    /// Takes a provider's receipt. Repeated, late and disordered ones are harmless, and so is one for a challenge that
    /// nobody knows.
    ///
    /// # Errors
    /// [`Unavailable`] when the store is away: the provider may send it again.
    pub async fn receive(
        &self,
        challenge_id: Uuid,
        provider: &'static str,
        update: &StatusUpdate,
    ) -> Result<(), Unavailable> {
        metrics::counter!("ringback_sms_receipts_total", "provider" => provider, "status" => update.status.name())
            .increment(1);
        let (state, stage) = state_and_stage(update.status);
        self.tell(
            challenge_id,
            What::Carried {
                state,
                provider,
                message_id: update.message_id.clone(),
                code: update.error_code,
                price: update.price.clone(),
            },
        );
        let news = News { stage, provider };
        for address in places(&self.keyring, challenge_id) {
            if let Some(course) = self.statuses.advance(address, challenge_id, &news).await? {
                self.courses.learn(provider, course);
            }
        }
        Ok(())
    }

    /// Tells the ledger.
    pub(super) fn tell(&self, challenge_id: Uuid, what: What) {
        let at = self.clock.now();
        self.ledger.note(Event {
            challenge_id,
            at,
            what,
        });
    }
}
