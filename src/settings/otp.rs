//! The sections about codes and the phones they prove: `otp`, `phone`.

use std::time::Duration;

use super::{
    reader::{Reader, Refused},
    value::{MINUTE, SECOND},
};
use crate::{
    accounts::OpeningRules,
    challenges::OtpRules,
    phone::{PhoneCheck, PhoneKind, PhoneKinds},
};

/// The rules of a code.
pub(super) fn read(reader: &mut Reader) -> OtpRules {
    const COOLDOWN: &str = "otp.resend_cooldown";
    let ttl = reader.duration("otp.ttl", SECOND..=60 * MINUTE);
    let max_attempts = reader.integer("otp.max_attempts", 1..=10);
    let length = reader.integer("otp.length", 6..=10);
    let cooldown = reader.duration(COOLDOWN, Duration::ZERO..=60 * MINUTE);
    OtpRules {
        ttl,
        max_attempts,
        length,
        // Longer, and whoever let a code expire could not have another.
        resend_cooldown: reader.at_most(COOLDOWN, cooldown, "otp.ttl", ttl),
        max_failures: reader.integer("otp.max_failures", 1..=1000),
        max_failures_in_day: reader.integer("otp.max_failures_in_day", 1..=10_000),
        failure_window: reader.duration("otp.failure_window", SECOND..=24 * 60 * MINUTE),
        require_challenge_id: reader.flag("otp.require_challenge_id"),
    }
}

/// How closely phone numbers are looked at.
pub(super) fn read_phone_check(reader: &mut Reader) -> PhoneCheck {
    let choices = [
        ("e164", PhoneCheck::E164),
        ("possible", PhoneCheck::Possible),
        ("valid", PhoneCheck::Valid),
    ];
    reader.choice("phone.check", &choices)
}

/// Which addresses open an account.
pub(super) fn read_openings(reader: &mut Reader) -> OpeningRules {
    const DAY: Duration = Duration::from_secs(86_400);
    OpeningRules {
        phone_reproof_after: reader.duration("phone.reproof_after", DAY..=3650 * DAY),
    }
}

/// What the numbers are for that may have a code. Only where `phone.check` knows what a number is for.
pub(super) fn read_phone_kinds(reader: &mut Reader, check: PhoneCheck) -> PhoneKinds {
    const KEY: &str = "phone.kinds_allow";
    let names: Vec<_> = PhoneKind::ALL.iter().map(|(name, _)| *name).collect();
    let allowed = format!("some of {}, or \"*\" for all", names.join(", "));
    let kinds = reader.list(KEY, &allowed, |text| match text {
        "*" => Ok(None),
        text => PhoneKind::parse(text).map(Some).ok_or_else(Refused::default),
    });
    if kinds.is_empty() {
        reader.refuse(KEY, allowed);
    }
    if check != PhoneCheck::Valid {
        reader.note(KEY, "not in force, since phone.check isn't \"valid\"".to_owned());
        return PhoneKinds::ALL;
    }
    // A "*" among them is all.
    kinds
        .into_iter()
        .collect::<Option<PhoneKinds>>()
        .unwrap_or(PhoneKinds::ALL)
}
