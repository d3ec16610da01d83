//! What an operator should know at the start, though the service runs.

use chrono::{DateTime, Utc};

use crate::{flows::TestNumbers, settings::Settings, sms::Texts};

pub(super) fn tell(settings: &Settings, now: DateTime<Utc>) {
    tell_of_long_texts(&settings.texts);
    tell_of_test_numbers(&settings.test_numbers, now);
}

/// There are phones that anyone can verify, or there were.
fn tell_of_test_numbers(numbers: &TestNumbers, now: DateTime<Utc>) {
    let count = numbers.count();
    if count == 0 {
        return;
    }
    match numbers.is_in_force(now) {
        true => tracing::warn!(test_numbers.count = count, "anyone can verify the test numbers"),
        false => tracing::warn!(
            test_numbers.count = count,
            "the test numbers are over: test_numbers.until is past"
        ),
    }
}

/// Which SMS cost more than one.
fn tell_of_long_texts(texts: &Texts) {
    for (language, segments) in texts.long() {
        tracing::warn!(
            sms.language = language.as_str(),
            sms.segments = segments,
            "each SMS in this language is paid for more than once"
        );
    }
}
