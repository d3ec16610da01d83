//! What operators ask about an address: the limits, and the OTP rules' own waits beside them.

use std::time::Duration;

use uuid::Uuid;

use super::{codes::Codes, refusals::own_rule};
use crate::{
    challenges::{DestinationDigest, Hold, Purpose, Slot, Whose},
    limits::{Explanation, KeyDimension, Operation, Refusal, RuleStatus, Subject},
};

/// Of the wrong codes of a day.
const DAY: Duration = Duration::from_secs(86_400);

impl Codes {
    /// Whether a request would be let in. Nothing is spent, nothing sent, no code judged.
    ///
    /// With Redis down, the OTP rules' own waits are left out: the explanation says that the request would be answered
    /// 503.
    pub async fn explain(&self, operation: Operation, subject: &Subject, user: Option<Uuid>) -> Explanation {
        let explained = self.limiter.explain(operation, subject).await;
        let pause = match operation {
            Operation::OtpSend | Operation::Notice => self.limiter.pause_of(subject),
            _ => None,
        };
        let pause = pause.map(|(by, refusal)| RuleStatus::of_refusal(&refusal, by, 0, refusal.retry_after));
        let explained = explained.and(pause.into_iter().collect());
        let slot = match operation {
            Operation::OtpSend | Operation::OtpVerify => slot(subject, Whose::of(user)),
            _ => None,
        };
        let Some(slot) = slot else {
            return explained;
        };
        let Ok(waits) = self.challenges.waits(&slot).await else {
            return explained.without_store();
        };
        let (left, full_in) = match waits.locked.is_zero() {
            true => {
                let left = self.challenges.rules.max_failures.saturating_sub(waits.failures);
                (left, waits.forgotten_in)
            }
            false => (0, waits.locked),
        };
        let failures = self.locked(full_in);
        let by = KeyDimension::address_of(slot.destination.channel());
        let mut own = vec![RuleStatus::of_refusal(&failures, by, left, full_in)];
        if operation == Operation::OtpSend {
            let cooldown = self.cooldown(waits.cooldown);
            own.push(RuleStatus::of_refusal(
                &cooldown,
                by,
                u32::from(waits.cooldown.is_zero()),
                waits.cooldown,
            ));
        }
        explained.and(own)
    }

    pub(super) fn cooldown(&self, wait: Duration) -> Refusal {
        own_rule(
            Hold::Cooldown.rule(),
            wait,
            1,
            self.challenges.rules.resend_cooldown,
        )
    }

    /// A wait that is longer than the window is that for the day to be over.
    pub(super) fn locked(&self, wait: Duration) -> Refusal {
        let rules = &self.challenges.rules;
        let (quota, per) = if wait > rules.failure_window {
            (rules.max_failures_in_day, DAY)
        } else {
            (rules.max_failures, rules.failure_window)
        };
        own_rule(Hold::Failures.rule(), wait, quota, per)
    }
}

/// The slot of the address that a request is about: of the purpose that proves it.
fn slot(subject: &Subject, whose: Whose) -> Option<Slot> {
    let phone = subject.phone_digest().map(DestinationDigest::from);
    let destination = phone.or_else(|| subject.email_digest().map(DestinationDigest::from))?;
    Some(Slot {
        purpose: Purpose::verifying(destination.channel()),
        destination,
        whose,
    })
}
