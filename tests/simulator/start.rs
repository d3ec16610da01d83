//! The command line: what it takes, what it refuses, how it ends.

use std::{net::TcpListener, process::Command};

use support::simulator::{Simulator, command};

/// Exit code and standard error of a start that is refused.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(arguments).output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_arguments_are_refused_in_one_line_or_with_usage() {
    for arguments in [
        &["--bind", "nowhere"][..],
        &["--keep", "0"],
        &["--token", "x"],
        &["--seed", "-1"],
        &["extra"],
    ] {
        let (code, said) = refused(arguments);
        assert!(
            code == Some(2) && said.contains("--help"),
            "{arguments:?}: {said}"
        );
    }
    let (code, said) = refused(&["--profile", "missing.toml"]);
    assert!(
        code == Some(78) && said.starts_with("missing.toml: ") && said.lines().count() == 1,
        "{said}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = refused(&["--bind", &address]);
    assert!(
        code == Some(1) && said.contains(&address) && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn sigterm_ends_it_in_order() {
    let sim = Simulator::start(&[]);
    let kill = Command::new("kill").arg(sim.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(sim.exit_code(), Some(0));
}
