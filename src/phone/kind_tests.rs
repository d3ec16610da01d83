//! What numbers are for.

use super::*;

fn kind(text: &str) -> Option<PhoneKind> {
    PhoneNumber::parse(text, PhoneCheck::Valid).unwrap().kind()
}

#[test]
fn every_kind_is_told() {
    for (number, expected) in [
        ("+447418000001", PhoneKind::Mobile),
        ("+66812345678", PhoneKind::Mobile),
        ("+442079460958", PhoneKind::FixedLine),
        ("+14152000001", PhoneKind::FixedLineOrMobile),
        ("+17872345678", PhoneKind::FixedLineOrMobile),
        ("+445612345678", PhoneKind::Voip),
        ("+18002345678", PhoneKind::TollFree),
        ("+80012345678", PhoneKind::TollFree),
        ("+19002345678", PhoneKind::PremiumRate),
        ("+979123456789", PhoneKind::PremiumRate),
        ("+611300123456", PhoneKind::SharedCost),
        ("+80812345678", PhoneKind::SharedCost),
        ("+447012345678", PhoneKind::Personal),
        ("+878101234567890", PhoneKind::Personal),
        ("+447640123456", PhoneKind::Pager),
        ("+445512345678", PhoneKind::Uan),
        ("+41860123456789", PhoneKind::Voicemail),
        ("+870773111632", PhoneKind::Satellite),
        ("+881612345678", PhoneKind::Satellite),
        ("+882161234567", PhoneKind::Satellite),
    ] {
        assert_eq!(kind(number), Some(expected), "{number}");
    }
}

#[test]
fn a_kind_is_known_without_the_check_and_unknown_to_made_up_numbers() {
    let parsed = PhoneNumber::parse("+19002345678", PhoneCheck::E164).unwrap();
    assert_eq!(parsed.kind(), Some(PhoneKind::PremiumRate));
    let made_up = PhoneNumber::parse("+1234567890", PhoneCheck::E164).unwrap();
    assert_eq!(made_up.kind(), None);
}

#[test]
fn a_set_has_what_was_put_in() {
    let kinds: PhoneKinds = [PhoneKind::Mobile, PhoneKind::Voip].into_iter().collect();
    for (name, kind) in PhoneKind::ALL {
        assert_eq!(kinds.fit(kind), matches!(name, "mobile" | "voip"), "{name}");
        assert_eq!(PhoneKind::parse(name), Some(kind));
        assert!(PhoneKinds::ALL.fit(kind));
    }
    assert_eq!(PhoneKind::parse("Mobile"), None);
}
