//! Codes that were issued or judged after whoever asked was told that nothing can be now.

use std::sync::Arc;

use super::{
    judged::{judged, reinstate},
    pending::make_due,
    wire::{Answer, place_of},
};
use crate::{
    challenges::store::{Issue, Verdict},
    limits::Counter,
    partition::SlotAddress,
    redis::{RedisLink, Unanswered},
    unavailable::Unavailable,
};

/// Has a message go out soon that turns out to be pending, once Redis says so, and not only when its lease is over: whoever asked again was
/// told to wait for it.
pub(super) fn send_soon(unanswered: Unanswered, link: &Arc<RedisLink>, issue: &Issue<'_>) -> Unavailable {
    let (Some(later), Some(_)) = (unanswered.later, issue.message) else {
        return unanswered.why;
    };
    let (link, attached) = (Arc::clone(link), issue.attached.to_vec());
    let places: Vec<_> = issue
        .places()
        .map(|place| (place.slot.address(), place.challenge_id))
        .collect();
    tokio::spawn(async move {
        let answer: Vec<u8> = later.wait().await?;
        let at = place_of(Answer::read(&answer, &attached).ok()?.letter)?;
        let &(address, challenge_id) = places.get(at)?;
        // Else it goes out when its lease is over.
        make_due(&link, address, challenge_id).await.ok()
    });
    unanswered.why
}

/// Makes a code good again that turns out to have been right, once Redis says so: it had no effect, and is typed once more.
/// `slots` are those that judge it.
pub(super) fn take_back(
    unanswered: Unanswered,
    link: &Arc<RedisLink>,
    offset: i64,
    attached: &[Counter],
    slots: impl IntoIterator<Item = SlotAddress>,
) -> Unavailable {
    let Some(later) = unanswered.later else {
        return unanswered.why;
    };
    let (link, attached) = (Arc::clone(link), attached.to_vec());
    let slots: Vec<_> = slots.into_iter().collect();
    tokio::spawn(async move {
        let answer: Vec<u8> = later.wait().await?;
        let Verdict::Right(proof) = judged(&answer, &attached, slots).ok()?.verdict else {
            return None;
        };
        match reinstate(&link, offset, &proof).await {
            Ok(()) => tracing::info!("a right code was judged too late, and is good again"),
            Err(lost) => {
                tracing::error!(error = %lost, "a right code is lost: it was judged too late, and could not be made good again")
            }
        }
        Some(())
    });
    unanswered.why
}
