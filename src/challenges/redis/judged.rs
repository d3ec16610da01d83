//! What became of a code that was judged.

use super::{
    keys::key_slot,
    record,
    scripts::REINSTATE,
    wire::{Answer, CHARGED, Packed, decode_charged, unknown_answer},
};
use crate::{
    challenges::{
        millis::from_millis,
        store::{Judged, Proof, Verdict},
    },
    limits::Counter,
    partition::SlotAddress,
    redis::RedisLink,
    unavailable::Unavailable,
};

/// Reads what a judging script answers, which tells by a number, from 1, in which of the slots that judge a code was right.
pub(super) fn judged(
    answer: &[u8],
    attached: &[Counter],
    slots: impl IntoIterator<Item = SlotAddress>,
) -> Result<Judged, Unavailable> {
    let Answer {
        letter,
        number,
        attached,
        rest,
    } = Answer::read(answer, attached)?;
    let mut charged = Vec::new();
    let verdict = match letter {
        b'r' => {
            let at = usize::try_from(number).unwrap_or_default().checked_sub(1);
            let used = at.and_then(|at| slots.into_iter().nth(at));
            Verdict::Right(proof(used, rest).ok_or_else(unknown_answer)?)
        }
        b'w' | b'x' => {
            for of_one in rest.chunks(CHARGED) {
                charged.push(decode_charged(of_one).ok_or_else(unknown_answer)?);
            }
            match u8::try_from(number).unwrap_or_default() {
                0 => Verdict::Exceeded,
                attempts_remaining => Verdict::Wrong { attempts_remaining },
            }
        }
        b'l' => Verdict::Locked {
            wait: from_millis(number),
        },
        b'e' => Verdict::Expired,
        b'm' => Verdict::Limited,
        _ => return Err(unknown_answer()),
    };
    Ok(Judged {
        verdict,
        attached,
        charged,
    })
}

/// Makes a used challenge good again.
pub(super) async fn reinstate(link: &RedisLink, offset: i64, proof: &Proof) -> Result<(), Unavailable> {
    let facts = Packed::at(offset).bytes(proof.challenge_id.as_bytes());
    link.eval(&REINSTATE, 1, |call| {
        key_slot(call, proof.address);
        call.arg(facts.0);
    })
    .await
}

/// What the record of a used challenge proves.
fn proof(address: Option<SlotAddress>, record: &[u8]) -> Option<Proof> {
    let address = address?;
    Some(record::decode(record, address)?.challenge?.proof(address))
}
