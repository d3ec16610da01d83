//! One vocabulary, that of the field (`docs/glossary.md`): words that were replaced come back nowhere.

use crate::{assert_exactly, code::files};

/// What is not said, and what is said in its place.
const REPLACED: [(&str, &str); 11] = [
    ("errand", "delivery"),
    ("courier", "delivery I/O"),
    ("switchboard", "router"),
    ("moot", "cancelled"),
    ("reckon", "estimate, measure; for limits: rescale"),
    ("fares", "delivery status"),
    ("shunned", "deprioritized"),
    ("whereabouts", "status snapshot"),
    ("sighting", "lookup result"),
    ("carry_on", "run to completion"),
    ("pretend", "hand back"),
];

/// Words that still stand somewhere. The list gets shorter until it is empty.
const KNOWN: &[&str] = &[];

/// Where a text says a word, also as a part of a name in any of Rust's spellings.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let camel: String = word
        .split('_')
        .map(|part| part[..1].to_uppercase() + &part[1..])
        .collect();
    let is_small = |character: char| character.is_ascii_lowercase();
    let says = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let begins_small = word.starts_with(is_small);
            let inside =
                begins_small && line[..at].ends_with(|character: char| character.is_ascii_alphabetic());
            let rest = &line[at + word.len()..];
            let ends = ["", "s", "ed", "ing", "er"].iter().any(|ending| {
                rest.strip_prefix(ending)
                    .is_some_and(|rest| !rest.starts_with(is_small))
            });
            !inside && ends
        })
    };
    let upper = word.to_uppercase();
    let lines = text.lines().enumerate();
    let found = lines.filter(|(_, line)| [word, &camel, &upper].iter().any(|word| says(line, word)));
    found.map(|(index, _)| index + 1).collect()
}

#[test]
fn words_that_were_replaced_do_not_come_back() {
    let mut places = Vec::new();
    for folder in [
        "src",
        "docs",
        "config",
        "migrations",
        "clients/typescript/src",
        "clients/typescript/test",
    ] {
        places.extend(files(
            folder,
            &[
                ".rs", ".lua", ".md", ".toml", ".txt", ".sql", ".html", ".js", ".ts",
            ],
        ));
    }
    places.push(("README.md".to_owned(), include_str!("../../README.md").to_owned()));
    let mut found = Vec::new();
    for (word, instead) in REPLACED {
        let said: Vec<String> = places
            .iter()
            // What people choose as passwords is theirs.
            .filter(|(path, _)| !path.ends_with("common_passwords.txt"))
            .flat_map(|(path, text)| {
                lines_with(text, word)
                    .into_iter()
                    .map(move |line| format!("{path}:{line}"))
            })
            .collect();
        if !said.is_empty() {
            found.push((format!("{word}: say {instead}"), said));
        }
    }
    let known = KNOWN.iter().map(|known| {
        let (word, instead) = REPLACED.iter().find(|(word, _)| word == known).unwrap();
        format!("{word}: say {instead}")
    });
    assert_exactly(known, found);
}

#[test]
fn a_word_is_seen_in_each_spelling_and_not_in_others() {
    for text in [
        "an errand.",
        "Errands",
        "OrderErrand::new",
        "errand_of",
        "ERRAND",
        "two errands",
    ] {
        assert_eq!(lines_with(text, "errand"), [1], "{text}");
    }
    for text in ["smooth", "Smooth", "amoot"] {
        assert_eq!(lines_with(text, "moot"), [], "{text}");
    }
    assert_eq!(lines_with("\nCarryOn", "carry_on"), [2]);
    assert_eq!(lines_with("reckoned", "reckon"), [1]);
}
