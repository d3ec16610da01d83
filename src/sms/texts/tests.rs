use proptest::prelude::*;

use super::*;

fn options() -> TextOptions {
    TextOptions {
        webotp_domain: Some("login.example.com".to_owned()),
        ..TextOptions::default()
    }
}

fn carried(options: &TextOptions) -> Texts {
    Texts::load(options, &TextFolder::default()).unwrap()
}

fn message(texts: &Texts, language: &str, seconds: u64) -> String {
    message_of("verify_phone", texts, language, seconds)
}

fn message_of(name: &str, texts: &Texts, language: &str, seconds: u64) -> String {
    let language = Language::parse(language).unwrap();
    let life = Duration::from_secs(seconds);
    let body = texts.compose(name, &language, &MessageCode::new("123456"), life);
    body.expose().to_owned()
}

#[test]
fn every_language_is_one_segment_with_a_line_for_browsers() {
    for ttl in [60, 600, 3600] {
        let options = TextOptions {
            ttl: Duration::from_secs(ttl),
            ..options()
        };
        let texts = carried(&options);
        assert_eq!(texts.long(), [], "{ttl} s");
        let all = CARRIED
            .iter()
            .flat_map(|(name, languages)| languages.iter().map(move |(language, _)| (name, language)));
        for (name, language) in all {
            let text = message_of(name, &texts, language, ttl);
            assert_eq!(segments(&text), 1, "{text}");
            for part in ["Ringback", "123456", &(ttl / 60).to_string()] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }
}

#[test]
fn at_its_longest_a_text_is_refused_for_no_brand() {
    for brand in ["M", "€", "я", "😀"] {
        let options = TextOptions {
            brand: Brand::parse(&brand.repeat(30)).unwrap(),
            android_hash: Some("FA+9qCX9VSu".to_owned()),
            code_length: 10,
            ttl: Duration::from_secs(3600),
            ..options()
        };
        let texts = carried(&options);
        let long: Vec<_> = texts
            .long()
            .iter()
            .map(|(language, _)| language.as_str())
            .collect();
        assert!(long.contains(&"hi"), "{long:?}");
        assert_eq!(long.contains(&"en"), ["я", "😀"].contains(&brand), "{long:?}");
    }
}

#[test]
fn minutes_are_what_is_left_and_at_least_one() {
    let texts = carried(&TextOptions::default());
    for (seconds, said) in [
        (0, "in 1 min."),
        (59, "in 1 min."),
        (89, "in 1 min."),
        (90, "in 2 min."),
        (299, "in 5 min."),
        (3600, "in 60 min."),
    ] {
        let text = message(&texts, "en", seconds);
        assert!(text.contains(said), "{seconds} s: {text}");
    }
}

#[test]
fn what_machines_read_stands_at_the_end() {
    let hash = || Some("FA+9qCX9VSu".to_owned());
    let none = TextOptions::default;
    let english = "Ringback code: 123456. It expires in 10 min. Don't share it.";
    for (options, end) in [
        (none(), ""),
        (options(), "\n@login.example.com #123456"),
        (
            TextOptions {
                android_hash: hash(),
                ..none()
            },
            "\nFA+9qCX9VSu",
        ),
        (
            TextOptions {
                android_hash: hash(),
                ..options()
            },
            "\n@login.example.com #123456 FA+9qCX9VSu",
        ),
    ] {
        assert_eq!(message(&carried(&options), "en", 600), format!("{english}{end}"));
    }
}

#[test]
fn a_language_stands_in_for_its_varieties_and_the_default_for_all_others() {
    let texts = carried(&TextOptions::default());
    for (ranges, best) in [
        (&["pt"][..], "pt"),
        (&["pt-BR"], "pt"),
        (&["PT-br-x-a"], "pt"),
        (&["de-u-co-phonebk"], "de"),
        (&["tlh", "zh-Hant-TW", "fr-CA", "es"], "fr"),
        (&["*", "ja"], "ja"),
        (&["tlh"], "en"),
        (&["", "-", "x", "e", "en_US"], "en"),
        (&[], "en"),
    ] {
        assert_eq!(
            texts.best_for(ranges.iter().copied()).as_str(),
            best,
            "{ranges:?}"
        );
    }
    let german = TextOptions {
        language: Language::parse("de-AT").unwrap(),
        ..TextOptions::default()
    };
    assert_eq!(carried(&german).best_for(["tlh"]).as_str(), "de");
    assert!(message(&carried(&german), "tlh", 600).contains("weitergeben"));
}

#[test]
fn the_code_stays_readable_in_a_text_that_runs_from_the_right() {
    let text = message(&carried(&options()), "ar", 600);
    // Latin name, colon and ASCII digits run from the left by themselves: no invisible marks, at two bytes each.
    assert!(text.contains("Ringback: 123456"), "{text}");
    assert!(
        text.is_ascii()
            || text
                .chars()
                .all(|character| !('\u{200E}'..='\u{200F}').contains(&character))
    );
    assert!(text.ends_with("\n@login.example.com #123456"), "{text}");
}

proptest! {
    /// Whatever a client says it reads, it gets one of the languages that there are.
    #[test]
    fn any_range_is_answered(ranges in proptest::collection::vec("[a-zA-Z0-9*-]{0,20}|\\PC{0,8}|(pt|de|x)(-[a-z0-9]{0,9}){0,4}", 0..5)) {
        let texts = carried(&TextOptions::default());
        let best = texts.best_for(ranges.iter().map(String::as_str));
        prop_assert!(CARRIED[0].1.iter().any(|(tag, _)| *tag == best.as_str()));
    }
}
