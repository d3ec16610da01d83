//! What operators ask about a phone: the limits, and the OTP rules' own waits beside them.

use uuid::Uuid;

use super::otp::Otp;
use crate::{
    challenges::Slot,
    limits::{Explanation, Operation, RuleStatus, Subject},
};

impl Otp {
    /// How a request would fare. Nothing is spent, nothing sent, no code judged.
    ///
    /// With Redis away, the OTP rules' own waits are left out: the explanation says that the request would be answered
    /// 503.
    pub async fn explain(&self, operation: Operation, subject: &Subject, user: Option<Uuid>) -> Explanation {
        let told = self.limiter.explain(operation, subject).await;
        let phone = match operation {
            Operation::OtpSend | Operation::OtpVerify => subject.phone_digest(),
            _ => None,
        };
        let Some(phone) = phone else {
            return told;
        };
        let Ok(waits) = self
            .challenges
            .waits(phone, user.map_or(Slot::Public, Slot::User))
            .await
        else {
            return told.without_store();
        };
        let left = self.rules.max_failures.saturating_sub(waits.failures);
        let failures = self.locked(waits.forgotten_in);
        let mut own = vec![RuleStatus::of_refusal(&failures, left, waits.forgotten_in)];
        if operation == Operation::OtpSend {
            let cooldown = self.cooldown(waits.cooldown);
            own.push(RuleStatus::of_refusal(
                &cooldown,
                u32::from(waits.cooldown.is_zero()),
                waits.cooldown,
            ));
        }
        told.and(own)
    }
}
