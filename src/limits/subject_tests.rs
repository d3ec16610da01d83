//! Tests of `subject.rs`.

use super::*;
use crate::{phone::PhoneCheck, secrets::Keyring};

fn subject(ip: &str) -> Subject {
    Subject::new(ip.parse::<std::net::IpAddr>().unwrap())
}

fn with_phone(text: &str) -> Subject {
    let keyring = Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap();
    let number = PhoneNumber::parse(text, PhoneCheck::E164).unwrap();
    subject("203.0.113.7").with_phone(number, &keyring.current().phone)
}

fn key(subject: &Subject, by: KeyDimension) -> Option<String> {
    subject.key(by.into(), Claimants::Apart)
}

#[test]
fn a_rule_whose_subject_is_missing_does_not_apply() {
    let bare = subject("203.0.113.7");
    for by in [
        KeyDimension::Email,
        KeyDimension::Phone,
        KeyDimension::Country,
        KeyDimension::Prefix(6),
        KeyDimension::User,
    ] {
        assert_eq!(key(&bare, by), None, "{by:?}");
        assert_eq!(
            bare.key(RuleKey::pair(KeyDimension::Ip, by).unwrap(), Claimants::Apart),
            None,
            "ip and {by:?}"
        );
    }
    assert!(key(&bare, KeyDimension::Global).is_some());
}

#[test]
fn a_phone_is_counted_by_digest_country_and_prefix_never_in_clear() {
    let phone = with_phone("+442079460958");
    let digest = phone.phone_digest().unwrap().encode();
    let keys = [
        KeyDimension::Phone,
        KeyDimension::Country,
        KeyDimension::Prefix(6),
        KeyDimension::Prefix(2),
    ]
    .map(|by| key(&phone, by).unwrap());
    assert_eq!(keys, [digest.as_str(), "GB", "442079", "44"]);
    for digits in 7..=15 {
        let key = key(&phone, KeyDimension::Prefix(digits)).unwrap();
        assert!(!key.contains("4420") && key != digest, "{digits}: {key}");
    }
}

#[test]
fn numbers_of_one_block_share_its_counter_whatever_its_length() {
    let same = |digits| {
        let keys =
            ["+14152000001", "+14152000099"].map(|text| key(&with_phone(text), KeyDimension::Prefix(digits)));
        keys[0] == keys[1]
    };
    assert!((1..=9).all(same) && !(10..=15).any(same));
}

#[test]
fn a_pair_names_both_in_the_order_of_the_rule() {
    let phone = with_phone("+442079460958");
    let pair = RuleKey::pair(KeyDimension::Ip, KeyDimension::Country).unwrap();
    assert_eq!(
        phone.key(pair, Claimants::Apart).as_deref(),
        Some("203.0.113.7,GB")
    );
}

#[test]
fn a_login_is_an_account_whether_or_not_it_exists() {
    let keyring = Keyring::parse("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap();
    let login = |kind, text| {
        let digest = LoginDigest::of(kind, text, &keyring.current().login);
        key(&subject("203.0.113.7").with_login(digest), KeyDimension::User).unwrap()
    };
    assert_eq!(
        login("email", "jane@example.com"),
        login("email", "jane@example.com")
    );
    assert_ne!(login("email", "+14152000001"), login("phone", "+14152000001"));
    assert!(!login("email", "jane@example.com").contains("jane"));
}
