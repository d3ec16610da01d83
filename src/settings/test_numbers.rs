//! The section `test_numbers`.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{
    environment::Environment,
    reader::{Reader, Refused},
};
use crate::{
    challenges::{OtpCode, OtpRules},
    flows::TestNumbers,
    phone::{PhoneCheck, PhoneNumber},
};

const CODES: &str = "test_numbers.codes";
const UNTIL: &str = "test_numbers.until";
const SWITCH: &str = "test_numbers.anyone_can_verify_in_production";
/// Enough for every test and reviewer; more is a list of customers.
const MOST: usize = 100;

/// Numbers with codes that are known beforehand.
pub(super) fn read(
    reader: &mut Reader,
    environment: Environment,
    otp: &OtpRules,
    phone_check: PhoneCheck,
) -> TestNumbers {
    let pair = |text: &str| {
        let (number, code) = text.split_once('=').ok_or_else(Refused::default)?;
        let number = PhoneNumber::parse(number.trim(), phone_check).map_err(Refused::because)?;
        let code = OtpCode::parse(code, otp.length).ok_or_else(|| {
            Refused::because(format!(
                "the code has not the {} digits of otp.length",
                otp.length
            ))
        })?;
        Ok((number, code))
    };
    let listed = reader.list(
        CODES,
        "numbers that phone.check takes with their codes, such as \"+14152000001=123456\"",
        pair,
    );
    let until = reader.optional(UNTIL, "a day such as \"2027-01-31\"", day);
    let is_known = reader.flag(SWITCH);
    let count = listed.len();
    let codes: BTreeMap<_, _> = listed.into_iter().collect();
    if codes.len() < count {
        reader.refuse(CODES, "must name each number once");
    }
    if count > MOST {
        reader.refuse(CODES, format!("must be {MOST} numbers at most"));
    }
    if count > 0 && until.is_none() && !reader.is_faulty(UNTIL) {
        reader.refuse(UNTIL, format!("must be the last day on which {CODES} work"));
    }
    if count > 0 && environment == Environment::Production && !is_known {
        reader.refuse(
            CODES,
            format!(
                "must be empty in production, for anyone can verify these numbers; unless {SWITCH} = true"
            ),
        );
    }
    TestNumbers::new(codes, until)
}

fn day(text: &str) -> Result<NaiveDate, Refused> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| Refused::default())?;
    // chrono takes other spellings too.
    if day.format("%Y-%m-%d").to_string() == text {
        Ok(day)
    } else {
        Err(Refused::default())
    }
}
