//! Numbers as they are written and as they are dialled, held against libphonenumber's own examples.

use super::*;

/// One number of each kind that a country has, as libphonenumber knows them.
fn examples() -> Vec<String> {
    let kinds = |region| {
        let kinds = PHONE_NUMBER_UTIL.get_supported_types_for_region(region);
        kinds
            .unwrap_or_default()
            .into_iter()
            .map(move |kind| (region, kind))
    };
    let regions = PHONE_NUMBER_UTIL.get_supported_regions();
    let examples = regions.flat_map(kinds).filter_map(|(region, kind)| {
        PHONE_NUMBER_UTIL
            .get_example_number_for_type_and_region(region, kind)
            .ok()
    });
    let mut examples: Vec<_> = examples
        .map(|number| PhoneNumber::of(&number).e164)
        // Emergency numbers and the like, which nobody can dial from abroad.
        .filter(|e164| to_e164(e164).is_ok())
        .collect();
    examples.sort_unstable();
    examples.dedup();
    assert!(examples.len() > 900, "{}", examples.len());
    examples
}

#[test]
fn a_number_as_it_is_written_is_what_libphonenumber_reads() {
    let (examples, mut too_short) = (examples(), Vec::new());
    let all = examples.len();
    for e164 in examples {
        let number = PhoneNumber::from_stored(e164.clone());
        assert_eq!(number.as_written(), number.as_dialled(), "{e164}");
        let parsed = |check| PhoneNumber::parse(&e164, check).map(|phone| phone.e164);
        assert_eq!(parsed(PhoneCheck::E164).as_ref(), Ok(&e164));
        assert_eq!(parsed(PhoneCheck::Valid).as_ref(), Ok(&e164));
        match parsed(PhoneCheck::Possible) {
            Ok(possible) => assert_eq!(possible, e164),
            Err(_) => too_short.push(e164),
        }
    }
    // A few can be dialled at home alone.
    assert!(
        too_short.len() * 50 < all,
        "{} of {all}: {too_short:?}",
        too_short.len()
    );
}

/// Whatever digits people put between the country code and the number, what is taken has one spelling.
#[test]
fn what_is_taken_is_taken_as_it_stands_the_next_time() {
    let mut corrected = 0;
    for e164 in examples() {
        let dialled = (2..=4).flat_map(|at| {
            ["0", "00", "1", "8"].map(|prefix| format!("{}{prefix}{}", &e164[..at], &e164[at..]))
        });
        for typed in dialled.filter(|typed| to_e164(typed).is_ok()) {
            for check in [PhoneCheck::Possible, PhoneCheck::Valid] {
                let Ok(taken) = PhoneNumber::parse(&typed, check) else {
                    continue;
                };
                let again = PhoneNumber::parse(taken.expose(), check);
                assert_eq!(
                    again.map(|phone| phone.e164).as_ref(),
                    Ok(&taken.e164),
                    "{typed}, {check:?}"
                );
                corrected += usize::from(taken.e164 != typed);
            }
        }
    }
    assert!(corrected > 1000, "{corrected}");
}

#[test]
fn a_trunk_prefix_in_the_number_is_overlooked_as_dialling_does() {
    for (typed, meant) in [
        ("+4402079460958", "+442079460958"),
        ("+49 030 901820", "+4930901820"),
        // Italy's zero belongs to the number.
        ("+39 06 69812345", "+390669812345"),
    ] {
        for check in [PhoneCheck::Possible, PhoneCheck::Valid] {
            let phone = PhoneNumber::parse(typed, check).unwrap();
            assert_eq!(phone.expose(), meant, "{check:?}");
            assert_eq!(phone, PhoneNumber::parse(meant, check).unwrap());
            assert_eq!(
                phone.country(),
                PhoneNumber::from_stored(meant.to_owned()).country()
            );
        }
    }
    let as_typed = PhoneNumber::parse("+4402079460958", PhoneCheck::E164).unwrap();
    assert_eq!(as_typed.expose(), "+4402079460958", "the shape alone");
}

/// One handset has one identity, however its country has had it dialled.
#[test]
fn an_old_spelling_is_the_present_number() {
    for (present, spellings) in [
        (
            "+525512345678",
            &[
                "+52 1 55 1234 5678",
                "+52 044 55 1234 5678",
                "+52 045 55 1234 5678",
                "+52 01 55 1234 5678",
                "+५२ १ ५५ १२३४ ५६७८",
            ][..],
        ),
        ("+523312345678", &["+5213312345678"]),
        // Argentina: 9 from abroad; 0 and 15 within, on either side of the area code of two to four digits.
        (
            "+5491123456789",
            &[
                "+54 9 11 2345 6789",
                "+54 11 15 2345 6789",
                "+54 0 11 15 2345 6789",
                "+54 9 11 15 2345 6789",
            ],
        ),
        (
            "+5493435551212",
            &["+54 343 15 555 1212", "+54 9 343 15 555 1212"],
        ),
        // Brazil: 0, and who carries the call.
        (
            "+5511987654321",
            &["+55 0 21 11 98765 4321", "+55 011 98765 4321"],
        ),
        ("+24166031234", &["+241 0 66 03 12 34"]),
        ("+3780549886377", &["+378 886377"]),
        ("+672322222", &["+672 22222"]),
        ("+375291234567", &["+375 80 29 123 45 67"]),
        ("+79161234567", &["+7 8 916 123 45 67"]),
        ("+36201234567", &["+36 06 20 123 4567"]),
    ] {
        let expected = PhoneNumber::parse(present, PhoneCheck::Valid).unwrap();
        assert_eq!(expected.expose(), present);
        for typed in spellings {
            let phone = PhoneNumber::parse(typed, PhoneCheck::Valid);
            assert_eq!(phone.as_ref().map(PhoneNumber::expose), Ok(present), "{typed}");
            let phone = phone.unwrap();
            assert_eq!(
                (phone.country(), phone.kind()),
                (expected.country(), expected.kind()),
                "{typed}"
            );
        }
    }
    let possible = PhoneNumber::parse("+52 1 55 1234 5678", PhoneCheck::Possible).unwrap();
    assert_eq!(possible.expose(), "+525512345678");
    for nobodys in ["+52 1 55 1234 567", "+52 1 11 1234 5678", "+52 2 55 1234 5678"] {
        assert!(
            PhoneNumber::parse(nobodys, PhoneCheck::Valid).is_err(),
            "{nobodys}"
        );
    }
}

/// Whatever is assigned as it is written is what libphonenumber reads: none is a second spelling of another. (Looked for
/// among 200,000 numbers near the examples, too.)
#[test]
fn no_assigned_number_is_another_ones_old_spelling() {
    for e164 in examples() {
        let near = (2..e164.len()).flat_map(|at| {
            ['0', '1', '5', '9'].map(|digit| format!("{}{digit}{}", &e164[..at], &e164[at + 1..]))
        });
        for e164 in near.filter(|near| to_e164(near).is_ok()) {
            let number = PhoneNumber::from_stored(e164.clone());
            let written = number.as_written();
            if written.as_ref().and_then(assigned_by).is_some() {
                assert_eq!(written, number.as_dialled(), "{e164}");
            }
        }
    }
}
