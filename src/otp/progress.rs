//! What whoever waits for an SMS may ask.

use std::{net::IpAddr, time::Duration};

use uuid::Uuid;

use super::{
    service::{Otp, OtpError},
    status::SmsStatus,
};
use crate::limits::{Operation, Subject};

/// How an SMS fares that was asked for, or seemed to be.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub status: SmsStatus,
    /// Until the phone may have another code; zero if now.
    pub resend_after: Duration,
}

impl Otp {
    /// How the SMS of a challenge fares, and when the phone may have another. A decoy's seems to fare like any.
    ///
    /// # Errors
    /// `UnknownChallenge`, `Limited`, `Unavailable`.
    pub async fn status(&self, ip: IpAddr, challenge_id: Uuid) -> Result<Progress, OtpError> {
        drop(
            self.limiter
                .admit(Operation::OtpStatus, &Subject::new(ip))
                .await?,
        );
        let found = self.statuses.recall(challenge_id).await?;
        let found = found.ok_or(OtpError::UnknownChallenge)?;
        let waits = self.challenges.waits(found.phone, found.slot).await?;
        let locked = match waits.failures >= self.rules.max_failures {
            true => waits.forgotten_in,
            false => Duration::ZERO,
        };
        Ok(Progress {
            status: found.status,
            resend_after: waits.cooldown.max(locked),
        })
    }
}
