//! The log's lines on codes that somebody guesses.

use super::codes::Asked;
use crate::{challenges::Verdict, security};

/// Says that a code was wrong, that a challenge has no try left, or that an address is locked: for whoever watches for
/// guessing. The address is in it as the digest that limits count it by.
pub(super) fn tell(asked: &Asked, verdict: &Verdict) {
    macro_rules! line {
        ($event:literal $(, $more:ident = $value:expr)?) => {
            tracing::info!(
                target: security::TARGET,
                {
                    client.network = %asked.caller.client,
                    user.id = asked.caller.user_id().map(tracing::field::display),
                    otp.purpose = asked.purpose.name(),
                    address.digest = asked.digest.encode(),
                    $($more = $value,)?
                },
                $event
            )
        };
    }
    match verdict {
        Verdict::Wrong { attempts_remaining } => {
            line!("auth.code.wrong", attempts_remaining = attempts_remaining)
        }
        Verdict::Exceeded => line!("auth.code.attempts_exceeded"),
        Verdict::Locked { wait } => line!("auth.code.locked", retry_after_s = wait.as_secs()),
        Verdict::Right(_) | Verdict::Expired | Verdict::Limited => {}
    }
}
