//! Which addresses open an account. A proof sets a flag; only a code that was typed with the account's own token (or at
//! registration) makes an address one that opens the account, since only then its owner and that of the account are one.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{accounts::users::User, channel::Channel};

/// For so long a proof is fresh: a further one is not noted.
const FRESH: TimeDelta = TimeDelta::days(1);

/// An account, with all that decides whether a code to one of its addresses opens it.
#[derive(Debug, Clone)]
pub struct Opening {
    pub user: User,
    /// A session is opened for this epoch, and no other.
    pub session_epoch: i64,
    pub is_locked: bool,
    /// When a code for the phone was last typed by whoever the account is.
    pub phone_owned_at: Option<DateTime<Utc>>,
    /// The same for the e-mail address.
    pub email_owned_at: Option<DateTime<Utc>>,
    /// When all its sessions were last ended: by a reset, a change of password, a lock or its end, or an administrator.
    pub sessions_ended_at: Option<DateTime<Utc>>,
}

/// What operators say of it.
#[derive(Debug, Clone, Copy)]
pub struct OpeningRules {
    /// For so long a proof of a phone opens an account that has a proven e-mail address as well: numbers are given to others.
    pub phone_reproof_after: Duration,
}

impl Opening {
    /// Whether a code that was issued then is of a time before all sessions were ended: what was under way ended with them.
    pub fn is_over(&self, issued_at_ms: i64) -> bool {
        self.sessions_ended_at
            .is_some_and(|ended| issued_at_ms < ended.timestamp_millis())
    }

    /// Whether a code that comes by this channel, to the account's address, signs in.
    pub fn may_sign_in(&self, by: Channel, rules: &OpeningRules, now: DateTime<Utc>) -> bool {
        let is_owned = match by {
            Channel::Sms => self.user.phone_verified && self.phone_owned_at.is_some(),
            Channel::Email => self.user.email_verified && self.email_owned_at.is_some(),
        };
        let is_stale = by == Channel::Sms && self.user.email_verified && self.is_phone_stale(rules, now);
        is_owned && !is_stale && !self.is_locked
    }

    /// Whether a code that comes by this channel sets the password anew: where it signs in; and one to an e-mail address of
    /// which no more is known than that the account was made with it, while nothing else is proven of the account.
    pub fn may_reset(&self, by: Channel, rules: &OpeningRules, now: DateTime<Utc>) -> bool {
        let has_nothing_else = by == Channel::Email && !self.user.phone_verified && !self.is_locked;
        has_nothing_else || self.may_sign_in(by, rules, now)
    }

    /// Whether its user may have a further code for an address that is proven already: since it doesn't open the account yet,
    /// or the proof of a phone is about to be too old.
    pub fn wants_proof(&self, by: Channel, rules: &OpeningRules, now: DateTime<Utc>) -> bool {
        match by {
            Channel::Sms => self.phone_owned_at.is_none_or(|at| {
                let soon = TimeDelta::from_std(rules.phone_reproof_after / 2).unwrap_or(TimeDelta::MAX);
                now - at >= soon
            }),
            Channel::Email => self.email_owned_at.is_none(),
        }
    }

    /// Whether a right code that came by this channel is worth being noted as a new proof of the address.
    pub fn is_fresh(&self, by: Channel, now: DateTime<Utc>) -> bool {
        let at = match by {
            Channel::Sms => self.phone_owned_at,
            Channel::Email => self.email_owned_at,
        };
        at.is_some_and(|at| now - at < FRESH)
    }

    fn is_phone_stale(&self, rules: &OpeningRules, now: DateTime<Utc>) -> bool {
        let lifetime = TimeDelta::from_std(rules.phone_reproof_after).unwrap_or(TimeDelta::MAX);
        self.phone_owned_at.is_none_or(|at| now - at >= lifetime)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        accounts::users::PersonName,
        email::EmailAddress,
        phone::{PhoneCheck, PhoneNumber},
    };

    const RULES: OpeningRules = OpeningRules {
        phone_reproof_after: Duration::from_secs(180 * 86_400),
    };

    fn now() -> DateTime<Utc> {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn days_ago(days: i64) -> Option<DateTime<Utc>> {
        Some(now() - TimeDelta::days(days))
    }

    /// An account of which nothing is proven.
    fn unproven() -> Opening {
        Opening {
            user: User {
                id: Uuid::from_u128(1),
                email: Some(EmailAddress::parse("jane@example.com").unwrap()),
                phone: PhoneNumber::parse("+14152000001", PhoneCheck::E164).unwrap(),
                first_name: PersonName::parse("Jane").unwrap(),
                last_name: PersonName::ABSENT,
                phone_verified: false,
                email_verified: false,
                created_at: now(),
                updated_at: now(),
            },
            session_epoch: 0,
            is_locked: false,
            phone_owned_at: None,
            email_owned_at: None,
            sessions_ended_at: None,
        }
    }

    fn with(phone: (bool, Option<DateTime<Utc>>), email: (bool, Option<DateTime<Utc>>)) -> Opening {
        let mut opening = unproven();
        (opening.user.phone_verified, opening.phone_owned_at) = phone;
        (opening.user.email_verified, opening.email_owned_at) = email;
        opening
    }

    /// Whether it signs in and resets by SMS, then by e-mail.
    fn opens(opening: &Opening) -> [bool; 4] {
        let [sms, email] = [Channel::Sms, Channel::Email].map(|by| {
            [
                opening.may_sign_in(by, &RULES, now()),
                opening.may_reset(by, &RULES, now()),
            ]
        });
        [sms[0], sms[1], email[0], email[1]]
    }

    #[test]
    fn only_what_was_proven_by_the_account_itself_opens_it() {
        let (none, flag, owned) = ((false, None), (true, None), (true, days_ago(9)));
        for (phone, email, expected) in [
            // Whoever has the e-mail address may begin anew, as long as nothing else is proven.
            (none, none, [false, false, false, true]),
            (none, flag, [false, false, false, true]),
            (none, owned, [false, false, true, true]),
            // Somebody proved the phone, or is its owner: the e-mail address may be a stranger's, or a mistyped one.
            (flag, none, [false; 4]),
            (flag, flag, [false; 4]),
            (owned, none, [true, true, false, false]),
            (owned, flag, [true, true, false, false]),
            (flag, owned, [false, false, true, true]),
            (owned, owned, [true; 4]),
        ] {
            assert_eq!(opens(&with(phone, email)), expected, "{phone:?} {email:?}");
            let locked = Opening {
                is_locked: true,
                ..with(phone, email)
            };
            assert_eq!(opens(&locked), [false; 4], "{phone:?} {email:?}, locked");
        }
    }

    #[test]
    fn what_is_left_of_an_address_that_is_proven_no_more_opens_nothing() {
        let gone = with((false, days_ago(9)), (false, days_ago(9)));
        assert_eq!(opens(&gone), [false, false, false, true]);
    }

    #[test]
    fn a_phone_that_was_not_proven_for_long_opens_nothing_where_an_email_address_is_proven() {
        for (days, opens_it) in [(0, true), (179, true), (180, false), (4000, false)] {
            for email in [(true, None), (true, days_ago(500))] {
                let opening = with((true, days_ago(days)), email);
                assert_eq!(opens(&opening)[..2], [opens_it; 2], "{days}");
            }
            let alone = with((true, days_ago(days)), (false, None));
            assert_eq!(opens(&alone)[..2], [true; 2], "{days}: nothing else would");
        }
    }

    #[test]
    fn a_proof_is_wanted_before_it_is_too_old() {
        let wants = |phone, email, by| with(phone, email).wants_proof(by, &RULES, now());
        assert!(wants((true, None), (true, None), Channel::Sms));
        assert!(wants((true, None), (true, None), Channel::Email));
        assert!(!wants((true, days_ago(89)), (true, days_ago(4000)), Channel::Sms));
        assert!(!wants(
            (true, days_ago(89)),
            (true, days_ago(4000)),
            Channel::Email
        ));
        assert!(wants((true, days_ago(90)), (true, None), Channel::Sms));
        assert!(with((true, days_ago(0)), (true, None)).is_fresh(Channel::Sms, now()));
        assert!(!with((true, days_ago(1)), (true, None)).is_fresh(Channel::Sms, now()));
    }
}
