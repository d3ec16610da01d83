//! Tests of `breach.rs`.

use std::{collections::BTreeMap, fs};

use super::*;
use crate::entropy::{Entropy, SystemEntropy};

struct Scratch(PathBuf);

impl Scratch {
    fn new(text: &str) -> Self {
        let name = (&SystemEntropy as &dyn Entropy).uuid().simple().to_string();
        let path = std::env::temp_dir().join(format!("ringback-breach-{name}"));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn password(text: &str) -> Password {
    Password::presented(text)
}

fn hex(text: &str) -> String {
    String::from_utf8(key_of(&password(text)).to_vec()).unwrap()
}

/// A list of so many passwords, `stolen-0` and on, with counts of any length.
fn list(count: u64, end: &str) -> String {
    let lines: BTreeMap<String, u64> = (0..count)
        .map(|n| {
            (
                hex(&format!("stolen-{n}")),
                10_u64.pow(u32::try_from(n % 8).unwrap()),
            )
        })
        .collect();
    let lines: Vec<_> = lines
        .iter()
        .map(|(hash, times)| format!("{hash}:{times}"))
        .collect();
    lines.join(end)
}

#[test]
fn the_hash_is_the_one_that_is_published() {
    // SHA-1 of "password", as everybody knows it.
    assert_eq!(hex("password"), "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
}

#[tokio::test]
async fn each_line_is_found_and_nothing_else_whatever_the_length_of_the_list() {
    for count in [1, 2, 3, 10, 1_000] {
        for (end, last) in [("\n", ""), ("\r\n", "\r\n"), ("\n", "\n")] {
            let file = Scratch::new(&(list(count, end) + last));
            let breach = BreachFile::open(&file.0).unwrap();
            for n in 0..count {
                assert!(
                    breach.has(&password(&format!("stolen-{n}"))).await,
                    "{n} of {count}"
                );
            }
            for n in 0..200 {
                assert!(!breach.has(&password(&format!("own-{n}"))).await);
            }
        }
    }
}

#[tokio::test]
async fn hashes_in_lower_case_are_read() {
    let file = Scratch::new(&list(9, "\n").to_lowercase());
    assert!(
        BreachFile::open(&file.0)
            .unwrap()
            .has(&password("stolen-3"))
            .await
    );
}

#[test]
fn what_is_no_such_list_is_refused_at_the_start() {
    let unsorted: Vec<_> = list(1_000, "\n").lines().rev().map(str::to_owned).collect();
    for text in [
        "",
        "\n",
        "password\n",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8\n",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:many\n",
        &unsorted.join("\n"),
        &"x".repeat(10_000),
    ] {
        let file = Scratch::new(text);
        let error = BreachFile::open(&file.0).unwrap_err();
        assert!(matches!(error, BreachFileError::Format(_)), "{error}");
    }
    let error = BreachFile::open(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(error, BreachFileError::Read { .. }), "{error}");
}

#[tokio::test]
async fn a_list_that_went_away_refuses_nobody_and_one_that_came_back_does() {
    let text = list(100, "\n");
    let file = Scratch::new(&text);
    let breach = BreachFile::open(&file.0).unwrap();
    fs::remove_file(&file.0).unwrap();
    assert!(!breach.has(&password("stolen-1")).await);
    assert!(breach.told.load(Ordering::Relaxed));
    fs::write(
        &file.0,
        "no list any more, and longer than two lines may be".repeat(9),
    )
    .unwrap();
    assert!(!breach.has(&password("stolen-1")).await);
    fs::write(&file.0, &text).unwrap();
    assert!(breach.has(&password("stolen-1")).await);
    assert!(!breach.told.load(Ordering::Relaxed));
}
