//! The laws of the house (`docs/architecture.md`), as far as a look at the source can hold them. The source is parsed: what
//! stands in comments and texts breaks no law, and what stands behind a module of tests does.
//!
//! | file | the law |
//! |---|---|
//! | `direction.rs` | which room may know which |
//! | `technologies.rs` | a technology is named in one place |
//! | `size.rs` | how long a file and a function may be |
//! | `files.rs` | what every file has, and none |
//! | `migrations.rs` | two versions run side by side on one database |
//! | `words.rs` | which words are not used |
//! | `lexer.rs`, `reader.rs`, `code.rs` | how the source is read |
//!
//! Where something is not so yet, the law has a list of what is known, with reasons. It fails for what is not on the list,
//! and for what is on it and does not need to be.

mod code;
mod direction;
mod files;
mod lexer;
mod migrations;
mod reader;
mod size;
mod technologies;
mod words;

use std::collections::BTreeMap;

#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Fails for what breaks a law and is not known, and for what is known and breaks it no longer.
#[track_caller]
fn assert_exactly(
    known: impl IntoIterator<Item = String>,
    broken: impl IntoIterator<Item = (String, Vec<String>)>,
) {
    let mut broken: BTreeMap<String, Vec<String>> = broken.into_iter().collect();
    let mut said = Vec::new();
    for known in known {
        if broken.remove(&known).is_none() {
            said.push(format!("{known}: not so any more. Take it off the list"));
        }
    }
    for (what, places) in broken {
        said.push(what);
        said.extend(places.iter().map(|place| format!("    {place}")));
    }
    assert_none(&said);
}
