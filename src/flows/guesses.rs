//! The log's lines on codes that somebody guesses.

use uuid::Uuid;

use crate::{
    challenges::{DestinationDigest, Purpose, Verdict},
    limits::ClientNetwork,
    security,
};

/// A code that was judged, as far as the log says whose.
pub(super) struct Guessed {
    pub client: ClientNetwork,
    pub user: Option<Uuid>,
    pub purpose: Purpose,
    /// Where it is known. In the log it is the digest that limits count it by.
    pub address: Option<DestinationDigest>,
    /// Where it was typed.
    pub challenge_id: Option<Uuid>,
}

impl Guessed {
    /// Says that a code was wrong, that a challenge has no try left, or that an address is locked: for whoever watches for
    /// guessing.
    pub(super) fn tell(&self, verdict: &Verdict) {
        macro_rules! line {
            ($event:literal $(, $more:ident = $value:expr)?) => {
                tracing::info!(
                    target: security::TARGET,
                    {
                        client.network = self.client.text().as_str(),
                        user.id = self.user.map(tracing::field::display),
                        otp.purpose = self.purpose.name(),
                        address.digest = self.address.map(|address| address.encode()),
                        challenge.id = self.challenge_id.map(tracing::field::display),
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
}
