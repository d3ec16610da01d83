use super::*;
use crate::entropy::SystemEntropy;

const SENT: Stage = Stage::Sent;

fn ended(end: End) -> Stage {
    Stage::Ended(end)
}

#[test]
fn a_course_is_read_by_the_time() {
    let course = Course {
        sent: Some(300),
        end: Some((End::Undelivered, 4_000)),
    };
    let seen = [0, 299, 300, 3_999, 4_000, 600_000].map(|elapsed| course.at(elapsed));
    use DeliveryStatus::{Queued, Sent, Undelivered};
    assert_eq!(seen, [Queued, Queued, Sent, Sent, Undelivered, Undelivered]);
    assert_eq!(Course::default().at(600_000), Queued);
}

#[test]
fn reports_may_come_twice_and_in_any_order() {
    let stages = [SENT, ended(End::Delivered), ended(End::Undelivered), SENT];
    for first in stages {
        for second in stages {
            let mut course = Course::default();
            assert!(course.advance(first, 5));
            let reached = course.at(9);
            let news = course.advance(second, 7);
            assert_eq!(news, first == SENT && second != SENT);
            assert!(news || course.at(9) == reached, "{course:?}");
        }
    }
}

#[test]
fn a_course_is_read_as_it_was_written() {
    for course in [
        Course::default(),
        Course {
            sent: Some(0),
            end: None,
        },
        Course {
            sent: None,
            end: Some((End::Failed, 1)),
        },
        Course {
            sent: Some(65_536),
            end: Some((End::Delivered, 3_600_000)),
        },
    ] {
        assert_eq!(Course::decode(&course.encode()), Some(course));
    }
    for has_receipts in [false, true] {
        let pending = Course::pending(has_receipts);
        assert_eq!(Course::decode(&pending.encode()), Some(pending));
        assert_eq!(pending.at(3_600_000), DeliveryStatus::Queued);
    }
    assert_eq!(Course::decode(b"nothing"), None);
}

#[test]
fn decoys_fare_as_real_sms_of_their_provider_lately_did() {
    let courses = Courses::new(Some("twilio"));
    let entropy = &SystemEntropy;
    let first = courses.pretend("twilio", 0, entropy);
    assert!(
        matches!(first.end, Some((End::Delivered, _))),
        "plausible: {first:?}"
    );
    let lost = Course {
        sent: Some(200),
        end: Some((End::Undelivered, 9_000)),
    };
    let sent = Course {
        sent: Some(200),
        end: None,
    };
    courses.learn("twilio", sent);
    assert_ne!(
        courses.pretend("twilio", 0, entropy),
        sent,
        "its receipt is still to come"
    );
    courses.learn("twilio", lost);
    assert_eq!(courses.pretend("twilio", 0, entropy), lost);
    assert_eq!(
        courses.pretend("webhook", 0, entropy).end,
        None,
        "no receipts, no end"
    );
    for _ in 0..64 {
        courses.learn("webhook", sent);
        courses.learn("twilio", Course::DELIVERED);
    }
    assert_eq!(courses.pretend("webhook", 0, entropy), sent);
    assert_eq!(
        courses.pretend("twilio", 0, entropy),
        Course::DELIVERED,
        "what is old is forgotten"
    );
}

#[test]
fn decoys_wait_where_real_sms_wait_and_go_on_with_them() {
    let (courses, entropy) = (Courses::new(Some("twilio")), &SystemEntropy);
    courses.owed(1_000);
    courses.owed(9_000);
    let at = |now: i64, issued: i64, has_receipts| {
        let elapsed = now - issued;
        let decoy = Pending {
            elapsed,
            has_receipts,
        };
        courses.meanwhile(decoy, now)
    };
    let waits = |carrier, now| courses.pretend(carrier, now, entropy) == Course::pending(carrier == "twilio");
    assert!(!waits("twilio", 10_999) && waits("twilio", 11_000) && waits("webhook", 11_000));
    assert_eq!(at(40_000, 11_000, true), DeliveryStatus::Queued);
    courses.answered(50_000);
    assert!(!waits("twilio", 50_000));
    assert_eq!(at(50_100, 11_000, true), DeliveryStatus::Queued);
    assert_eq!(at(50_400, 11_000, true), DeliveryStatus::Sent);
    assert_eq!(at(53_000, 11_000, true), DeliveryStatus::Delivered);
    assert_eq!(at(90_000, 11_000, false), DeliveryStatus::Sent);
    // In the next stall, what went on after the first doesn't go back.
    courses.owed(100_000);
    assert_eq!(at(120_000, 11_000, true), DeliveryStatus::Delivered);
    assert_eq!(at(120_000, 115_000, true), DeliveryStatus::Queued);
    courses.answered(130_000);
    assert_eq!(at(130_100, 11_000, true), DeliveryStatus::Delivered);
    assert_eq!(at(130_100, 115_000, true), DeliveryStatus::Queued);
    assert_eq!(at(134_000, 115_000, true), DeliveryStatus::Delivered);
}

#[test]
fn nobody_waits_when_no_sms_is_owed_any_more_whatever_became_of_it() {
    let (courses, entropy) = (Courses::new(None), &SystemEntropy);
    let waits = |now| courses.pretend("webhook", now, entropy) == Course::pending(false);
    courses.owed(1_000);
    courses.owed(1_000);
    courses.ended(1, 12_000);
    assert!(waits(12_000), "one is owed still");
    courses.ended(1, 13_000);
    assert!(!waits(13_000));
    // One that was taken over from another instance.
    courses.ended(1, 14_000);
    courses.owed(20_000);
    assert!(waits(30_000) && waits(619_999));
    assert!(!waits(620_000), "another instance has it");
    courses.owed(700_000);
    assert!(!waits(709_999) && waits(710_000));
}
