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
    assert_eq!(Course::decode(b"nothing"), None);
}

#[test]
fn decoys_fare_as_real_sms_lately_did() {
    let courses = Courses::new(Some("twilio"));
    let entropy = &SystemEntropy;
    let first = courses.pretend(0, entropy);
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
    assert_ne!(courses.pretend(0, entropy), sent, "its receipt is still to come");
    courses.learn("twilio", lost);
    assert_eq!(courses.pretend(0, entropy), lost);
    for _ in 0..64 {
        courses.learn("webhook", sent);
    }
    assert_eq!(courses.pretend(0, entropy), sent, "what is old is forgotten");
    assert_eq!(
        Courses::new(None).pretend(0, entropy).end,
        None,
        "no receipts, no end"
    );
}

#[test]
fn decoys_wait_where_real_sms_wait() {
    let (courses, entropy) = (Courses::new(None), &SystemEntropy);
    courses.owed(1_000);
    courses.owed(9_000);
    assert_ne!(courses.pretend(10_999, entropy), Course::default());
    assert_eq!(courses.pretend(11_000, entropy), Course::default());
    courses.answered();
    assert_ne!(courses.pretend(12_000, entropy), Course::default());
}
