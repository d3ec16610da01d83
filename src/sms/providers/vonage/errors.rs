//! What Vonage's answers mean for a message: one table of the error codes of its SMS API, which call them statuses.
//!
//! Source of the codes and their meanings: <https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms> and
//! <https://developer.vonage.com/en/api-errors/sms>. 13, 16 and 19 are of older lists.

use std::time::Duration;

use crate::{
    provider::{FailureKind, Outcome},
    sms::providers::remedy::{
        self,
        Remedy::{self, GiveUp, Operator, Retry},
        kind_of_status,
    },
};

/// Vonage's codes, sorted. As for Twilio, a code that concerns one number or one country gives up on that message alone.
const CODES: &[(u32, Remedy)] = &[
    (1, Retry),     // throttled: faster than the account's limit
    (2, Operator),  // a parameter is missing: of those that are always there, only the sender can be empty
    (3, GiveUp),    // a parameter is invalid, which may be the number
    (4, Operator),  // credentials are wrong or disabled
    (5, Retry),     // internal error
    (6, GiveUp),    // cannot be processed, such as a number with an unknown prefix
    (7, GiveUp),    // the number is barred
    (8, Operator),  // account is suspended
    (9, Operator),  // not enough credit
    (10, Retry),    // too many connections at a time: "Back-off and retry"
    (11, Operator), // account is not provisioned for the SMS API
    (12, GiveUp),   // the text is too long
    (13, Retry),    // communication failed
    (14, Operator), // the signature is wrong: the account demands one
    (15, GiveUp),   // the sender is not authorized, which depends on the number's country
    (16, GiveUp),   // ttl is out of range
    (19, Operator), // the account may not do this
    (22, GiveUp),   // the network code is not one of the number's country
    (23, Operator), // the callback URL of the account is invalid
    (29, GiveUp),   // a trial account may only send to numbers on its list
    (32, Operator), // signature and secret at once
    (33, GiveUp),   // the number is de-activated
];

/// What an answer means that is no success. `code` is the status of the part that failed, if it could be read; `after`
/// what `Retry-After` asked for.
pub(super) fn judge(status: u16, code: Option<u32>, after: Option<Duration>) -> Outcome {
    remedy::judge(CODES, status, code, kind(status, code), after)
}

fn kind(status: u16, code: Option<u32>) -> FailureKind {
    match (status, code) {
        (_, Some(1 | 10)) => FailureKind::RateLimited,
        (_, Some(5 | 13)) => FailureKind::ServerError,
        (200..=299, None) => FailureKind::Unreadable,
        _ => kind_of_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_each_code_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_is_not_understood_is_tried_again() {
        for code in [None, Some(999)] {
            assert!(
                matches!(judge(200, code, None), Outcome::Retryable { .. }),
                "{code:?}"
            );
        }
    }
}
