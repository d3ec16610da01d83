//! The log's lines on codes that somebody guesses.

use uuid::Uuid;

use crate::{
    challenges::{DestinationDigest, Purpose, Verdict},
    limits::ClientNetwork,
    security,
};

/// Says that a code was wrong, that a challenge has no try left, or that an address is locked: for whoever watches for
/// guessing. The address is in it as the digest that limits count it by.
pub(super) fn tell(
    client: &ClientNetwork,
    user: Option<Uuid>,
    purpose: Purpose,
    address: &DestinationDigest,
    verdict: &Verdict,
) {
    macro_rules! line {
        ($event:literal $(, $more:ident = $value:expr)?) => {
            tracing::info!(
                target: security::TARGET,
                {
                    client.network = %client,
                    user.id = user.map(tracing::field::display),
                    otp.purpose = purpose.name(),
                    address.digest = address.encode(),
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
