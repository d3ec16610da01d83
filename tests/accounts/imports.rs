//! Lines that no account can be made of, and imports that meet others at work: `ringback users import` and `Import`.

use std::{
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ringback::{
    accounts::{
        Argon2Cost, Import, ImportError, ImportReport, Imported, Known, Lines, Probe, Progress,
        TransferStore, TransferredUser, UserRules,
    },
    entropy::SystemEntropy,
    events::{EventKind, NewEvent},
    phone::PhoneCheck,
    unavailable::Unavailable,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{Stores, at, event},
    program::{Cli, on_both},
    users_cli::{line, lines},
};

/// As many as two imports write at once.
const MANY: u32 = 5_000;
const MAX_LINE: usize = 64 * 1024;

/// The nth line with another value.
fn with(n: u32, key: &str, value: Value) -> String {
    let mut line: Value = serde_json::from_str(&line(n)).unwrap();
    line[key] = value;
    line.to_string()
}

/// The nth line, so many bytes long.
fn of_length(n: u32, bytes: usize) -> String {
    let short = with(n, "comment", json!("")).len();
    with(n, "comment", json!("x".repeat(bytes - short)))
}

/// Imports what can be, and is told all of this.
fn import_the_others(cli: &Cli<'_>, text: &str, told: &[&str]) {
    let file = cli.folder.write("users.jsonl", text);
    let (code, _, err) = cli.run(&["import", file.to_str().unwrap(), "--skip-refused"]);
    for said in told {
        assert!(code == 0 && err.contains(said), "{said}: {err}");
    }
}

#[test]
fn an_id_that_names_nobody_is_refused() {
    on_both(async |cli| {
        let ids = [Uuid::nil(), Uuid::max(), Uuid::from_u128(1)];
        let text: Vec<_> = (0..).zip(ids).map(|(n, id)| with(n, "id", json!(id))).collect();
        let told = [
            "line 1: id: names nobody",
            "line 2: id: names nobody",
            "1 users imported, 0 were there already, 2 lines refused",
        ];
        import_the_others(&cli, &text.join("\n"), &told);
    });
}

#[test]
fn a_time_that_no_line_can_say_is_refused() {
    on_both(async |cli| {
        // The first is of the year before in UTC.
        let times = [
            "0000-01-01T00:00:00+23:59",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00Z",
        ];
        let text: Vec<_> = (0..)
            .zip(times)
            .map(|(n, at)| with(n, "created_at", json!(at)))
            .collect();
        let told = [
            "line 1: created_at: lies before the year 1",
            "line 2: created_at: lies before the year 1",
            "1 users imported, 0 were there already, 2 lines refused",
        ];
        import_the_others(&cli, &text.join("\n"), &told);
        let (_, out, _) = cli.run(&["export"]);
        assert!(out.contains("\"0001-01-01T00:00:00.000000Z\""), "{out}");
    });
}

#[test]
fn the_longest_line_is_good_with_a_line_break_and_without() {
    on_both(async |cli| {
        let [first, second, last] = [1, 2, 3].map(|n| of_length(n, MAX_LINE));
        let long = of_length(4, MAX_LINE + 1);
        let text = format!("\u{FEFF}{first}\n{second}\r\n{long}\n{last}");
        import_the_others(
            &cli,
            &text,
            &["3 users imported", "line 3: longer than 65536 bytes"],
        );
    });
}

#[test]
fn two_imports_of_a_file_at_once_refuse_nothing() {
    on_both(async |cli| {
        let file = cli.folder.write("users.jsonl", &lines(0..MANY));
        let begin = || {
            let mut command = cli.command(&["import", file.to_str().unwrap()]);
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        // The tables are there, so that both are at the lines.
        let none = cli.folder.write("none.jsonl", "");
        assert_eq!(cli.run(&["import", none.to_str().unwrap()]).0, 0);
        let made = [(); 2].map(|()| begin()).map(|import: Child| {
            let output = import.wait_with_output().unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            assert!(
                output.status.success() && err.contains(" 0 lines refused."),
                "{err}"
            );
            let last = err.lines().last().unwrap();
            last.split(' ').next().unwrap().parse::<u32>().unwrap()
        });
        assert_eq!(made.iter().sum::<u32>(), MANY);
    });
}

/// A store in which somebody else makes accounts meanwhile: before it is asked the second time what is known, or before the
/// insert.
struct Meanwhile {
    store: Arc<dyn TransferStore>,
    others: Mutex<Vec<(TransferredUser, NewEvent)>>,
    before_insert: bool,
    asked: AtomicU32,
}

impl Meanwhile {
    async fn others_come(&self) {
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        let made = self.store.insert(&others, Argon2Cost::default(), at(0)).await;
        assert_eq!(made.unwrap().len(), others.len());
    }
}

#[async_trait]
impl TransferStore for Meanwhile {
    async fn known(&self, probe: Probe) -> Result<Known, Unavailable> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 1 && !self.before_insert {
            self.others_come().await;
        }
        self.store.known(probe).await
    }

    async fn insert(
        &self,
        users: &[(TransferredUser, NewEvent)],
        today: Argon2Cost,
        now: DateTime<Utc>,
    ) -> Result<std::collections::HashSet<Uuid>, Unavailable> {
        if self.before_insert {
            self.others_come().await;
        }
        self.store.insert(users, today, now).await
    }

    async fn page(&self, after: Option<Uuid>, most: u32) -> Result<Vec<TransferredUser>, Unavailable> {
        self.store.page(after, most).await
    }
}

#[derive(Default)]
struct Told(Vec<String>);

impl ImportReport for Told {
    fn refused(&mut self, line: &str, reason: &str) {
        self.0.push(format!("{line}: {reason}"));
    }

    fn progress(&mut self, _: Progress) {}
}

pub async fn whoever_comes_between_is_there_already_or_refuses_a_line(stores: Stores) {
    let rules = UserRules {
        phone_check: PhoneCheck::E164,
        today: Argon2Cost::default(),
        now: at(0),
    };
    let user = |line: String| {
        let user = TransferredUser::parse(line.as_bytes(), &rules).unwrap();
        (user, event(EventKind::AccountImported, 0))
    };
    let cases = [(false, false), (false, true), (true, false), (true, true)];
    for (first, (before_insert, skip_refused)) in (0..).step_by(10).zip(cases) {
        let other = with(first + 1, "id", json!(Uuid::from_u128(u128::from(first) + 7)));
        let import = Import {
            store: Arc::new(Meanwhile {
                store: stores.one.transfer.clone(),
                others: Mutex::new(vec![user(line(first)), user(other)]),
                before_insert,
                asked: AtomicU32::new(0),
            }),
            entropy: Arc::new(SystemEntropy),
            rules,
            skip_refused,
        };
        // The last is refused from the first, and told once.
        let text = lines(first..first + 3) + if skip_refused { "{}\n" } else { "" };
        let mut lines = Lines::keep(text.as_bytes(), &SystemEntropy).unwrap();
        let mut told = Told::default();
        let outcome = import.run(&mut lines, &mut told).await;
        let late = "line 2: email: an account with another id has it".to_owned();
        let counts = match outcome {
            Ok(counts) if skip_refused => {
                assert_eq!((told.0.len(), &told.0[1]), (2, &late));
                counts
            }
            Err(ImportError::RefusedLate(counts)) if !skip_refused => {
                assert_eq!(told.0, [late]);
                counts
            }
            other => panic!("{before_insert} {skip_refused}: {other:?}"),
        };
        let expected = Imported {
            made: 1,
            present: 1,
            refused: 1 + u64::from(skip_refused),
            shut_out: 0,
            phone_first: 0,
        };
        assert_eq!(counts, expected, "{before_insert} {skip_refused}");
    }
}
