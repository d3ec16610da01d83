//! The servers that all tests share, and the programs under test.

use std::{path::PathBuf, process::Command};

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

/// A Python that finds the packages of `scripts/needs`.
pub fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", tools().join("python"));
    command
}

/// A program of a node package of `scripts/needs`.
pub fn node_tool(name: &str) -> Command {
    Command::new(node_modules().join(".bin").join(name))
}

/// Where the node packages of `scripts/needs` are.
pub fn node_modules() -> PathBuf {
    tools().join("node/node_modules")
}

fn tools() -> PathBuf {
    variable("RINGBACK_TEST_TOOLS").into()
}
