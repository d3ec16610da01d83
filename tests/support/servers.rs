//! The servers that all tests share, and the programs under test.

use std::path::PathBuf;

/// A variable that names a test server. A test that needs one fails without it.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: this test needs the servers that `scripts/test` starts (arguments are cargo test's)")
    })
}

/// A program of this package, which Cargo builds before the tests.
pub fn program(name: &str) -> PathBuf {
    // target/debug/deps/<test> runs: the program is target/debug/<name>.
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().join(name)
}
