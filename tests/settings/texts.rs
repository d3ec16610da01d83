//! The folder of texts: what an operator may put there, and what is said of what he may not.

use std::time::Duration;

use ringback::{channel::MessageCode, language::Language, settings::Settings};

use crate::place::Place;

pub fn message(settings: &Settings, language: &str) -> String {
    let language = Language::parse(language).unwrap();
    let texts = &settings.texts.sms;
    let body = texts.compose(
        "verify_phone",
        &language,
        &MessageCode::new("123456"),
        Duration::from_secs(600),
    );
    body.expose().to_owned()
}

#[test]
fn a_file_adds_a_language_or_replaces_a_text() {
    let place = Place::new()
        .file(
            "messages/verify_phone.pt-BR.txt",
            "{brand}: {code} ({minutes} min)\n",
        )
        .file("messages/verify_phone.en.txt", "Your code: {code}\n")
        // None of ours: the note of whoever keeps the folder, an editor's copy, what Kubernetes mounts.
        .file("messages/README.md", "{")
        .file("messages/.verify.fr.txt.swp", "{")
        .file("messages/..data/verify.de.txt", "{")
        .var("RINGBACK__MESSAGES__BRAND", "Acme");
    let settings = place.good();
    let shown = settings.show();
    let note = format!("in force: {}", place.dir.join("messages").display());
    assert!(shown.contains(&note), "{shown}");
    for (language, said) in [
        ("pt-br", "Acme: 123456 (10 min)"),
        ("en", "Your code: 123456"),
        ("tlh", "Your code: 123456"),
    ] {
        assert_eq!(message(&settings, language), said);
    }
    for (language, part) in [("pt", "PIN"), ("de", "weitergeben"), ("ja", "認証")] {
        let text = message(&settings, language);
        assert!(text.contains(part) && text.contains("Acme"), "{text}");
    }
}

#[test]
fn every_fault_of_every_text_is_told_with_its_place() {
    let long = format!("{}{{code}}", "я".repeat(196));
    let place = Place::new()
        .file("messages/verify_phone.de.txt", "{brand}\n  {kode} } {code}\n")
        .file("messages/verify_phone.en.txt", "no code")
        .file("messages/verify_phone.es.txt", b"{code} \xff")
        .file(
            "messages/verify_phone.fr.txt",
            format!("{{code}}{}", " ".repeat(16_379)),
        )
        .file("messages/verify_phone.it.txt", "{code")
        .file("messages/verify_phone.ru.txt", &long)
        .file("messages/verify_phone.PT.txt", "{code}")
        .file("messages/verify_phone.pt.txt", "{code}")
        .file("messages/login.en.txt", "{code}")
        .file("messages/verify_phone.txt", "{code}")
        .file("messages/verify_phone.pt_BR.txt", "{code}");
    let faults = place.faults();
    let expected = [
        "messages/login.en.txt: not the name of a text: must be NAME.LANGUAGE.txt, such as verify_phone.pt-br.txt, and NAME must be verify_phone or sign_in_sms or ",
        "messages/verify_phone.de.txt:2:3: no such name, {kode}: there are {brand}, {code} and {minutes}",
        "messages/verify_phone.de.txt:2:10: a } that closes nothing: write }} for one that is meant",
        "messages/verify_phone.en.txt:1:1: without {code} nobody learns the code",
        "messages/verify_phone.es.txt: not UTF-8, at byte 8",
        "messages/verify_phone.fr.txt: larger than 16384 bytes",
        "messages/verify_phone.it.txt:1:1: a { that nothing closes: write {{ for one that is meant",
        "messages/verify_phone.pt.txt: the language of ",
        "messages/verify_phone.pt_BR.txt: not the name of a text: ",
        "messages/verify_phone.ru.txt: takes 4 segments, with brand, code and what follows: 3 at most",
        "messages/verify_phone.txt: not the name of a text: ",
    ];
    for (fault, start) in faults.iter().zip(expected) {
        assert!(fault.starts_with(start), "{start}\n{faults:#?}");
    }
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    // A segment less is taken.
    let three = Place::new()
        .file("messages/verify_phone.ru.txt", &long[2..])
        .good();
    let long = three.texts.sms.long();
    assert_eq!(long.len(), 1, "{long:?}");
    assert_eq!((long[0].0.as_str(), long[0].1), ("ru", 3));
}

#[test]
fn what_follows_a_text_counts_in_its_segments() {
    let text = format!("{{code}}{}", "x".repeat(440));
    let place = || Place::new().file("messages/verify_phone.en.txt", &text);
    place().good();
    for (key, value) in [
        ("RINGBACK__SMS__WEBOTP_DOMAIN", "example.com"),
        ("RINGBACK__OTP__LENGTH", "10"),
    ] {
        let both = place()
            .var("RINGBACK__SMS__ANDROID_HASH", "FA+9qCX9VSu")
            .var(key, value);
        assert!(both.faults()[0].contains("takes 4 segments"), "{key}");
    }
    let settings = Place::new()
        .var("RINGBACK__SMS__WEBOTP_DOMAIN", "example.com")
        .var("RINGBACK__SMS__ANDROID_HASH", "FA+9qCX9VSu")
        .good();
    assert!(message(&settings, "en").ends_with(".\n@example.com #123456 FA+9qCX9VSu"));
}

#[test]
fn the_texts_are_looked_for_beside_the_files_then_where_the_service_was_started() {
    let shown = |place: Place| place.good().show();
    let built_in = "in force: the built-in texts, there is no such folder";
    assert!(shown(Place::new()).contains(built_in));
    let named = |name: &str| Place::new().var("RINGBACK__MESSAGES__FOLDER", name);
    assert!(shown(named("config/messages")).contains("in force: config/messages\n"));
    // A folder that is named is meant, even by the default's name.
    let faults = named("messages").faults();
    assert!(
        faults.len() == 1 && faults[0].contains("no such folder"),
        "{faults:?}"
    );
}

#[test]
fn the_language_for_all_others_has_a_text() {
    let speaking = |language: &str| Place::new().var("RINGBACK__MESSAGES__LANGUAGE", language);
    let settings = speaking("de-AT").good();
    assert!(message(&settings, "tlh").contains("weitergeben"));
    let faults = speaking("ru").faults();
    assert_eq!(
        faults,
        [
            "environment: RINGBACK__MESSAGES__LANGUAGE = \"ru\": no text is in it: must be one of ar, de, en, es, fr, hi, ja, pt"
        ]
    );
    let settings = speaking("ru")
        .file("messages/verify_phone.ru.txt", "код {code}")
        .good();
    assert_eq!(message(&settings, "tlh"), "код 123456");
}
