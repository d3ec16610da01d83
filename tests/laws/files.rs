//! What every file has, and none.

use std::{collections::BTreeSet, path::Path};

use crate::{assert_none, code::files};

#[test]
fn every_file_says_what_it_is_for() {
    let mut broken = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in files(folder, &[".rs", ".lua"]) {
            let says = ["//! ", "-- "].iter().any(|opening| text.starts_with(opening));
            // `main.rs` of the binary is one line, and unit tests stand for the file that they test.
            let needs_none = path == "src/main.rs" || path.ends_with("tests.rs");
            if !says && !needs_none {
                broken.push(format!("{} begins without a word on what it is for", path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_names_a_machine_it_was_made_on() {
    let mut broken = Vec::new();
    let kinds = [
        ".rs", ".lua", ".sql", ".toml", ".md", ".html", ".sh", ".js", ".ts", ".json",
    ];
    for folder in [
        "src",
        "config",
        "migrations",
        "docs",
        "clients/typescript/src",
        "clients/typescript/test",
    ] {
        for (path, text) in files(folder, &kinds) {
            for folder in ["/root/", "/home/", "/work/", "/Users/"] {
                if text.contains(folder) {
                    broken.push(format!("{folder} in {}", path));
                }
            }
        }
    }
    assert_none(&broken);
}

/// A script that touches a key which is not in `KEYS`, or that asks what other keys there are, fails on a Cluster.
#[test]
fn scripts_touch_the_keys_that_they_are_given_and_no_other() {
    let mut broken = Vec::new();
    for (path, text) in files("src", &[".lua"]) {
        for (number, line) in text.lines().enumerate() {
            let asks_around = ["'KEYS'", "'SCAN'", "'EVAL'", "'RANDOMKEY'", "'FLUSH", "'SELECT'"];
            let builds_a_key = line.contains("redis.call(")
                && line.split("redis.call(").skip(1).any(|call| {
                    let key = call.split(',').nth(1).unwrap_or_default().trim();
                    key.starts_with(['\'', '"']) || key.contains("..")
                });
            if builds_a_key || asks_around.iter().any(|asked| line.contains(asked)) {
                broken.push(format!("{}:{}: {line}", path, number + 1));
            }
        }
    }
    assert_none(&broken);
}

/// Migrations of functions, which SQLite does not have.
const POSTGRES_ALONE: [&str; 1] = ["20261124000000_verify_phones.sql"];

#[test]
fn every_migration_has_its_sister_in_the_other_database() {
    let names = |database: &str| -> Vec<String> {
        let files = files(&format!("migrations/{database}"), &[".sql"]);
        let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        files.iter().map(|(path, _)| name(path)).collect()
    };
    let mut postgres = names("postgres");
    for name in POSTGRES_ALONE {
        assert!(
            postgres.contains(&name.to_owned()),
            "{name} is not there any more"
        );
    }
    postgres.retain(|name| !POSTGRES_ALONE.contains(&&name[..]));
    assert_eq!(postgres, names("sqlite"));
}

/// The metrics that a text names in a macro of the crate `metrics`.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let named = |start: usize, quote: &str| -> Option<String> {
        let rest = text[start..].trim_start().strip_prefix(quote)?;
        let name = rest.split('"').next()?;
        (name.starts_with("ringback_") || name.starts_with("process_")).then(|| name.to_owned())
    };
    let macros = ["counter!(", "gauge!(", "histogram!("];
    macros
        .iter()
        .flat_map(|name| text.match_indices(name))
        .filter_map(|(at, name)| named(at + name.len(), "\""))
        .collect()
}

#[test]
fn every_metric_is_described_and_no_other() {
    let mut counted = BTreeSet::new();
    for (_, text) in files("src", &[".rs"]) {
        counted.extend(metrics_in(&text));
    }
    assert!(counted.len() > 30, "{counted:?}");
    let (_, families) = files("src/telemetry", &["families.rs"]).remove(0);
    let (_, families) = families.split_once("const FAMILIES").unwrap();
    let (families, _) = families.split_once("\n];").unwrap();
    let words = families.split('"').skip(1).step_by(2);
    let described: BTreeSet<String> = words
        .filter(|word| !word.contains(' ') && word.contains('_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(counted, described);
}

/// The headings of a page, as links name them on GitHub and in the guide.
fn headings(page: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let lines = page.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    lines
        .map(|line| {
            let name = line.trim_start_matches('#').trim().to_lowercase();
            let name = name.replace(' ', "-");
            name.chars()
                .filter(|character| character.is_alphanumeric() || "-_".contains(*character))
                .collect()
        })
        .collect()
}

/// What a page links to in this repository is there.
#[test]
fn no_link_of_a_page_leads_nowhere() {
    let mut pages: Vec<_> = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(|page| (page.to_owned(), std::fs::read_to_string(page).unwrap()))
        .into();
    for folder in ["docs", "clients/typescript", "loadtest"] {
        pages.extend(
            files(folder, &[".md"])
                .into_iter()
                .filter(|(path, _)| !path.contains("node_modules")),
        );
    }
    assert!(pages.len() > 25, "{}", pages.len());
    let mut broken = Vec::new();
    for (page, text) in &pages {
        let folder = Path::new(page).parent().unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() {
                page.into()
            } else {
                folder.join(path)
            };
            let has_heading = || headings(&std::fs::read_to_string(&file).unwrap()).contains(heading);
            if !file.exists() || (!heading.is_empty() && !has_heading()) {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    let summary = &pages
        .iter()
        .find(|(page, _)| page == "docs/SUMMARY.md")
        .unwrap()
        .1;
    for (page, _) in pages
        .iter()
        .filter(|(page, _)| page.starts_with("docs/") && page != "docs/SUMMARY.md")
    {
        let name = page.trim_start_matches("docs/");
        if !summary.contains(&format!("]({name})")) {
            broken.push(format!("{page} is not in docs/SUMMARY.md"));
        }
    }
    assert_none(&broken);
}

/// What stands between the first `begin` and the next `end`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("no {begin:?}"));
    rest.split_once(end).map_or(rest, |(within, _)| within)
}

#[test]
fn the_program_its_client_and_the_changes_are_of_one_version() {
    let program = env!("CARGO_PKG_VERSION");
    let client = include_str!("../../clients/typescript/package.json");
    assert_eq!(between(client, "\"version\": \"", "\""), program, "the client");
    let changes = include_str!("../../CHANGELOG.md");
    assert_eq!(between(changes, "\n## [", "]"), program, "the newest changes");
}
