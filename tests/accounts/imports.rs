//! Lines that no account can be made of: `ringback users import`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{program::on_both, users_cli::line};

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

#[test]
fn an_id_that_names_nobody_is_refused() {
    on_both(async |cli| {
        let ids = [Uuid::nil(), Uuid::max(), Uuid::from_u128(1)];
        let text: Vec<_> = (0..).zip(ids).map(|(n, id)| with(n, "id", json!(id))).collect();
        let file = cli.folder.write("users.jsonl", &text.join("\n"));
        let (code, _, err) = cli.run(&["import", file.to_str().unwrap(), "--skip-refused"]);
        for said in [
            "line 1: id: names nobody",
            "line 2: id: names nobody",
            "1 users imported, 0 were there already, 2 lines refused",
        ] {
            assert!(code == 0 && err.contains(said), "{said}: {err}");
        }
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
        let file = cli.folder.write("users.jsonl", &text.join("\n"));
        let (code, _, err) = cli.run(&["import", file.to_str().unwrap(), "--skip-refused"]);
        for said in [
            "line 1: created_at: lies before the year 1",
            "line 2: created_at: lies before the year 1",
            "1 users imported, 0 were there already, 2 lines refused",
        ] {
            assert!(code == 0 && err.contains(said), "{said}: {err}");
        }
        let (_, out, _) = cli.run(&["export"]);
        assert!(out.contains("\"0001-01-01T00:00:00.000000Z\""), "{out}");
    });
}

#[test]
fn the_longest_line_is_good_with_a_line_break_and_without() {
    on_both(async |cli| {
        let [first, second, last] = [1, 2, 3].map(|n| of_length(n, MAX_LINE));
        let long = of_length(4, MAX_LINE + 1);
        let file = cli.folder.write(
            "users.jsonl",
            &format!("\u{FEFF}{first}\n{second}\r\n{long}\n{last}"),
        );
        let (code, _, err) = cli.run(&["import", file.to_str().unwrap(), "--skip-refused"]);
        assert!(
            code == 0 && err.contains("3 users imported") && err.contains("line 3: longer than 65536 bytes"),
            "{err}"
        );
    });
}
