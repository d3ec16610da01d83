//! Numbers whose code is known beforehand: for end-to-end tests, and for those who review an app for a store.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use uuid::Uuid;

use super::asked::Caller;
use crate::{
    challenges::{Challenges, Hold, OtpCode},
    channel::Channel,
    delivery::Destination,
    limits::Subject,
    phone::PhoneNumber,
    unavailable::Unavailable,
};

/// Phones that get no SMS, for their code is always the same, up to the end of a day. Anyone can verify them.
#[derive(Debug, Clone, Default)]
pub struct TestNumbers {
    codes: BTreeMap<PhoneNumber, OtpCode>,
    /// The last day on which they work, in UTC.
    until: Option<NaiveDate>,
}

impl TestNumbers {
    /// Phones and their codes, good up to the end of `until`; without such a day, never.
    pub fn new(codes: BTreeMap<PhoneNumber, OtpCode>, until: Option<NaiveDate>) -> Self {
        Self { codes, until }
    }

    /// The code of a phone, if it is one of them and their time isn't over.
    pub fn code(&self, phone: &PhoneNumber, now: DateTime<Utc>) -> Option<&OtpCode> {
        self.codes.get(phone).filter(|_| self.is_in_force(now))
    }

    /// Whether a phone is one of them, even if their time is over.
    pub fn contains(&self, phone: &PhoneNumber) -> bool {
        self.codes.contains_key(phone)
    }

    /// Whether their time isn't over.
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        let end = self.until.and_then(|day| day.checked_add_days(Days::new(1)));
        end.is_some_and(|end| now.date_naive() < end)
    }

    /// Whom a request about one is counted against. No message goes to it: rules by phone, prefix and country count none of
    /// its requests.
    pub(super) fn subject(caller: &Caller) -> Subject {
        Subject::new(caller.client)
            .with_channel(Channel::Sms)
            .with_user(caller.user_id())
    }

    /// Ends the cooldown and the lock that a number has; `owner` says whose challenges of it there are beside the public one.
    pub(super) async fn release(
        challenges: &Challenges,
        to: &Destination,
        owner: Option<Uuid>,
    ) -> Result<(), Unavailable> {
        let own: Vec<_> = owner.into_iter().collect();
        for hold in Hold::ALL {
            challenges.release(hold, to, &own).await?;
        }
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.codes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::PhoneCheck;

    #[test]
    fn they_work_up_to_the_end_of_their_last_day() {
        let phone = |text| PhoneNumber::parse(text, PhoneCheck::E164).unwrap();
        let codes = BTreeMap::from([(phone("+14152000001"), OtpCode::parse("123456", 6).unwrap())]);
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let numbers = TestNumbers::new(codes.clone(), NaiveDate::from_ymd_opt(2027, 1, 31));
        let code = |phone_text, time| numbers.code(&phone(phone_text), at(time)).map(OtpCode::expose);
        assert_eq!(code("+14152000001", "2026-01-01T00:00:00Z"), Some("123456"));
        assert_eq!(code("+14152000001", "2027-01-31T23:59:59.999Z"), Some("123456"));
        assert_eq!(code("+14152000001", "2027-02-01T00:00:00Z"), None);
        assert_eq!(code("+14152000002", "2026-01-01T00:00:00Z"), None);
        let endless = TestNumbers::new(codes, None);
        assert!(
            endless
                .code(&phone("+14152000001"), at("2026-01-01T00:00:00Z"))
                .is_none()
        );
        assert!(!format!("{endless:?}").contains("123456"));
    }
}
