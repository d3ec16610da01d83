//! What Twilio's answers mean for a message: one table of its error codes.
//!
//! Source of the codes and their meanings: Twilio's Error and Warning Dictionary, <https://www.twilio.com/docs/api/errors>
//! (each code has its page there, e.g. `/docs/api/errors/21211`). Twilio adds codes and splits old ones, so an unknown
//! code is judged by its HTTP status.

use std::time::Duration;

use crate::{
    provider::{FailureKind, Outcome},
    sms::providers::remedy::{
        self,
        Remedy::{self, GiveUp, Operator, Retry, RetryIn},
        kind_of_status,
    },
};

/// Twilio's codes, sorted. A code that concerns one number or one country gives up on that message alone, though an
/// operator might lift the ban (21408, 21608), and so does one that may concern either that or our sender (21606, 21659):
/// whoever types such a number must not be able to raise an alarm.
///
/// Most 30xxx codes come with receipts rather than with the answer; here they mean that the message went on to the
/// networks and failed there, so that it is for the user to ask again.
const CODES: &[(u32, Remedy)] = &[
    (10001, Operator),    // account is not active
    (14107, RetryIn(30)), // more than 30 messages between two numbers: blocked for 30 seconds
    (20003, Operator),    // credentials are wrong, or the account is suspended
    (20005, Operator),    // account is not active
    (20006, Operator),    // access denied
    (20008, Operator),    // not with test credentials
    (20403, Operator),    // account is suspended or closed
    (20404, Operator),    // no such account: the SID is part of the path
    (20429, Retry),       // too many requests at once; "never processed and always safe to retry"
    (20500, Retry),       // internal error; may have been sent, so this may be a duplicate
    (20503, Retry),       // service is unavailable
    (21211, GiveUp),      // To is not a phone number
    (21212, Operator),    // From is not a phone number
    (21217, GiveUp),      // To does not appear to be valid
    (21265, GiveUp),      // To is a short code
    (21266, GiveUp),      // To is our own sender
    (21268, GiveUp),      // To is a premium number
    (21408, GiveUp),      // the account may not send to this country (Geo Permissions)
    (21601, Operator),    // From is not a number of this account that can send
    (21603, Operator),    // From is missing
    (21604, GiveUp),      // To is missing
    (21606, GiveUp),      // From cannot send messages from this account, or not to this destination
    (21607, Operator),    // a trial account must send from its trial number
    (21608, GiveUp),      // a trial account may only send to verified numbers
    (21610, GiveUp),      // the recipient has unsubscribed (STOP)
    (21611, Retry),       // the sender's queue is full
    (21612, GiveUp),      // no route from this sender to this number
    (21614, GiveUp),      // To is not a mobile number
    (21616, Operator),    // From matches several numbers of the account
    (21617, GiveUp),      // the text is too long
    (21619, GiveUp),      // the text is missing
    (21624, GiveUp),      // ValidityPeriod is out of range
    (21635, GiveUp),      // To is a landline
    (21659, GiveUp),      // From is no Twilio number, or a short code of another country
    (21660, Operator),    // From belongs to another account
    (21661, Operator),    // From cannot send SMS
    (21701, Operator),    // no such Messaging Service
    (21703, Operator),    // the Messaging Service has no sender
    (21705, Operator),    // the Messaging Service's SID is invalid
    (30001, Retry),       // the queue overflowed
    (30002, Operator),    // account is suspended
    (30003, GiveUp),      // the handset is unreachable
    (30004, GiveUp),      // the message was blocked
    (30005, GiveUp),      // the handset is unknown
    (30006, GiveUp),      // a landline, or a carrier that cannot be reached
    (30007, GiveUp),      // the carrier filtered it
    (30008, GiveUp),      // the carrier gave no reason
    (30022, Retry),       // the carriers' rate limit for the campaign (US A2P 10DLC)
    (30032, Operator),    // the toll-free sender is not verified
    (30034, Operator),    // the sender is not registered (US A2P 10DLC)
    (30036, GiveUp),      // ValidityPeriod has elapsed
    (30042, Operator),    // the sender id is blocked
    (30450, GiveUp),      // blocked by SMS Pumping Protection
    (30500, Retry),       // internal error
    (63017, Retry),       // more messages a second than the account may send
    (63038, Operator),    // the account's daily limit is reached
    (70051, Operator),    // the key may not send messages
    (90007, GiveUp),      // ValidityPeriod is out of range
];

/// What an answer means that is no success (2xx).
///
/// `code` is the one in Twilio's error document, if there was such a document; `after` what `Retry-After` asked for.
pub(super) fn judge(status: u16, code: Option<u32>, after: Option<Duration>) -> Outcome {
    remedy::judge(CODES, status, code, kind(status, code), after)
}

fn kind(status: u16, code: Option<u32>) -> FailureKind {
    match code {
        Some(14107 | 20429 | 21611 | 30001 | 30022 | 63017 | 63038) => FailureKind::RateLimited,
        _ => kind_of_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(status: u16, code: Option<u32>) -> &'static str {
        match judge(status, code, None) {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Retryable { .. } => "retryable",
            Outcome::Permanent { .. } => "permanent",
            Outcome::Misconfigured { .. } => "misconfigured",
        }
    }

    #[test]
    fn the_table_is_sorted_and_has_each_code_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_known_code_outweighs_the_status() {
        assert_eq!(remedy(429, Some(63038)), "misconfigured");
        assert_eq!(remedy(400, Some(30001)), "retryable");
        assert_eq!(remedy(500, Some(21211)), "permanent");
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        for (status, expected) in [(400, "permanent"), (401, "misconfigured"), (503, "retryable")] {
            assert_eq!(remedy(status, None), expected, "{status}");
            assert_eq!(remedy(status, Some(99_999)), expected, "{status}");
        }
    }

    #[test]
    fn a_code_may_ask_for_a_pause() {
        let Outcome::Retryable { after, .. } = judge(429, Some(14107), None) else {
            panic!("not retryable");
        };
        assert_eq!(after, Some(Duration::from_secs(30)));
    }
}
