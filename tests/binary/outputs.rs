//! What commands do where nobody reads what they say, and with what they are told.

use std::{
    fs::File,
    io::pipe,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use support::service::{FREE_PORTS, Folder, Service};

/// A folder with a database in which somebody is.
fn folder() -> Folder {
    let folder = Folder::new();
    let user = r#"{"email":"jane@example.com","phone":"+14152000001","first_name":"Jane"}"#;
    let file = folder.write("users.jsonl", user);
    let (code, _, err) = folder.run(&["users", "import", file.to_str().unwrap()], &[]);
    assert_eq!(code, 0, "{err}");
    folder.write(
        "limits.toml",
        "[[rule]]\nid = \"one\"\non = \"me\"\nby = \"ip\"\nquota = 5\nper = \"1h\"\n",
    );
    folder
}

/// A pipe at whose other end nobody is.
fn closed() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

fn ended(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    (status.code().expect("an exit, not a signal"), said)
}

const COMMANDS: [&[&str]; 8] = [
    &["config", "show"],
    &["config", "check"],
    &["limits", "check", "limits.toml"],
    &["migrate"],
    &["users", "find"],
    &["users", "show", "jane@example.com"],
    &["events", "tail", "-n", "3"],
    &["events", "tail", "-n", "3", "-f"],
];

#[test]
fn a_reader_who_goes_ends_a_command_quietly_and_a_full_disk_is_told() {
    let folder = folder();
    for command in COMMANDS {
        let (code, said) = ended(folder.command(command, &[]).stdout(closed()));
        assert!(
            code == 0 && !said.contains("panicked"),
            "{command:?}: {code} {said}"
        );
        assert!(!said.contains("can't be written"), "{command:?}: {said}");
        let (code, said) = ended(folder.command(command, &[]).stdout(full()));
        let last = said.lines().last().unwrap_or_default();
        assert!(
            code == 1 && last.contains("the output can't be written"),
            "{command:?}: {code} {said}"
        );
        let told = ["events.", "found.", "sessions."];
        assert!(
            !told.iter().any(|told| said.contains(told)),
            "{command:?}: {said}"
        );
    }
}

#[test]
fn a_standard_error_that_takes_nothing_changes_no_exit_code() {
    let folder = folder();
    folder.write("faulty.toml", "[[rule]]\nid = 5\n");
    let cases: [(i32, &[&str]); 4] = [
        (0, &["users", "find"]),
        (1, &["users", "show", "nobody@example.com"]),
        (78, &["limits", "check", "faulty.toml"]),
        (1, &["healthcheck"]),
    ];
    for (expected, command) in cases {
        for stderr in [closed(), full()] {
            let mut command = folder.command(command, &[("RINGBACK__SERVER__OPS_BIND", "127.0.0.1:1")]);
            let status = command.stdout(Stdio::null()).stderr(stderr).status().unwrap();
            assert_eq!(status.code(), Some(expected), "{command:?}");
        }
    }
}

#[test]
fn a_reason_has_the_bounds_that_it_has_for_administrators() {
    let folder = folder();
    let (long, longest) = ("x".repeat(501), "ü".repeat(500));
    let lock = ["users", "lock", "jane@example.com", "--reason"];
    for (reason, part) in [
        (long.as_str(), "At most 500 characters."),
        ("a\nb", "No control characters"),
        ("a\u{202e}b", "No control characters"),
        (" ", "Say why"),
    ] {
        for command in [
            &lock[..],
            &[
                "admin",
                "grant",
                "jane@example.com",
                "--role",
                "admin",
                "--reason",
            ],
            &["limits", "resume", "--country", "TJ", "--reason"],
        ] {
            let (code, _, err) = folder.run(&[command, &[reason]].concat(), &[]);
            assert!(
                code == 2 && err.contains(part),
                "{command:?} {reason:?}: {code} {err}"
            );
        }
    }
    let (code, _, err) = folder.run(&[&lock[..], &[&longest]].concat(), &[]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_dash_is_the_standard_output() {
    let folder = folder();
    let (code, out, err) = folder.run(&["users", "export", "-"], &[]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("jane@example.com"), "{out}");
    assert!(!folder.path().join("-").exists());
}

/// What supervises it may have it reload before it serves.
#[test]
fn sighup_ends_nothing_from_the_very_start() {
    let folder = Folder::new();
    let fifo = folder.path().join("secret");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let file = fifo.to_str().unwrap();
    let variables = [&FREE_PORTS[..], &[("RINGBACK_SECRET_FILE", file)]].concat();
    let mut service = Service::launch(folder.command(&["serve"], &variables));
    // It reads its settings until somebody writes here: opened, it has begun to.
    let mut secret = File::options().write(true).open(&fifo).unwrap();
    service.signal("HUP");
    std::io::Write::write_all(&mut secret, b"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
    drop(secret);
    service.wait_for("its address", |said| said.contains("  API      ").then_some(()));
    let began = Instant::now();
    service.signal("TERM");
    assert_eq!(service.end().0, 0);
    assert!(began.elapsed() < Duration::from_secs(20));
}
