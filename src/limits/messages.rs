//! Rules that count messages: spent once it is known that one goes out, and given back when its code is typed.

use super::{
    active::RuleMetrics,
    decision::{Admission, Denied},
    limiter::Limiter,
    refusal::longest,
    shadowed::Shadowed,
    store::{Marker, Refund},
    subject::Subject,
};
use crate::{encoding::push_base64_url, outage};

/// What the name of a marker takes.
const ROOM_FOR_MARKER: usize = 24;

impl Limiter {
    /// Asks once more what counts messages and isn't attached, and spends it if a message `goes_out`. Without one it takes the
    /// same time and is refused alike, so that neither tells a decoy. There is nothing to do where all counters lie together.
    ///
    /// # Errors
    /// [`Denied::Refused`] when others have spent it meanwhile, [`Denied::Unavailable`] when it can't be counted. What the
    /// admission had spent is given back then.
    pub async fn spend_message(&self, mut admission: Admission, goes_out: bool) -> Result<Admission, Denied> {
        if admission.by_message.is_empty() {
            return Ok(admission);
        }
        let (places, counters): (Vec<_>, Vec<_>) =
            std::mem::take(&mut admission.by_message).into_iter().unzip();
        let denied = match self.0.counters.check(&counters, goes_out).await {
            Err(error) => Denied::Unavailable(error),
            Ok(verdicts) => {
                let mut refusal = None;
                for ((at, counter), verdict) in places.into_iter().zip(counters).zip(verdicts) {
                    if !verdict.is_refused() {
                        if goes_out {
                            admission.cluster.push((at, counter));
                        }
                    } else if counter.enforce {
                        let asked = admission.rule_at(at);
                        let refused = asked.metrics.count(&asked.rule, verdict, admission.has_worked);
                        if let Some(refused) = refused {
                            refusal = longest(refusal, refused);
                        }
                    }
                }
                match refusal {
                    None => return Ok(admission),
                    Some(refusal) => {
                        // The check has given back what it spent of these itself.
                        admission.cluster.retain(|(_, counter)| !counter.by_message);
                        Denied::Refused(refusal)
                    }
                }
            }
        };
        self.give_back(admission).await;
        Err(denied)
    }

    /// What is given back when the code of a message about `subject` is typed; none where no rule counts unverified
    /// messages. `earns` says whether an address that is new has them grow.
    pub fn refund_for(&self, subject: &Subject, earns: bool) -> Option<Refund> {
        let active = self.active();
        let unverified = active.unverified();
        if unverified.is_empty() {
            return None;
        }
        active.prepare(subject);
        let (address, partition) = subject.address()?;
        // It is made for each code, right or wrong.
        let mut key = String::with_capacity(ROOM_FOR_MARKER);
        key.push_str("v:");
        push_base64_url(&mut key, address);
        let mut counters = Vec::with_capacity(unverified.len());
        counters.extend(unverified.iter().filter_map(|active| active.counter(subject)));
        Some(Refund {
            marker: Marker { partition, key },
            counters,
            earns,
        })
    }

    /// Whether the script that judges a code gives back what its message spent, in the same step.
    pub fn attaches_refunds(&self) -> bool {
        self.0.counters.are_colocated()
    }

    /// Gives back what a message spent whose code was typed, where no script did. If Redis is down it stays spent, and
    /// drains.
    pub async fn refund(&self, refund: &Refund, has_worked: bool) {
        if let Err(error) = self.0.counters.refund(refund, has_worked).await {
            outage::note(&error);
            tracing::debug!(%error, "a message stays counted though its code was typed");
        }
    }

    /// A challenge was issued though these shadow rules would have refused it.
    pub fn shadowed_issued(&self, shadowed: &Shadowed) {
        if !shadowed.is_empty() {
            let active = self.active();
            active
                .tagged(|tag| shadowed.names(tag))
                .for_each(RuleMetrics::count_shadow_issued);
        }
    }

    /// A right code followed to such a challenge.
    pub fn shadowed_verified(&self, shadowed: &Shadowed) {
        if !shadowed.is_empty() {
            let active = self.active();
            active
                .tagged(|tag| shadowed.names(tag))
                .for_each(RuleMetrics::count_shadow_verified);
        }
    }
}
