//! `ringback admin`, `ringback users …`, `ringback events tail`: the program, against both databases.

use crate::program::{Cli, on_both};

impl Cli<'_> {
    /// Exit code, standard output, standard error.
    fn call(&self, line: &str) -> (i32, String, String) {
        let arguments: Vec<_> = line.split(' ').collect();
        self.folder.run(&arguments, &[("DATABASE_URL", self.database)])
    }

    async fn text(&self, query: &str) -> String {
        self.scalar(query).await
    }
}

const USERS: &str = r#"{"email":"jane@example.com","phone":"+14155550001","first_name":"Jane","last_name":"Doe","password_hash":"pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo","email_verified":true,"phone_verified":true}
{"email":"john@example.com","phone":"+14155550002","first_name":"John","last_name":"Doe","password_hash":"pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo","email_verified":true}
{"email":"new@example.com","phone":"+14155550001","first_name":"New","last_name":"Doering","password_hash":"pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo"}
"#;

#[test]
fn an_operator_grants_finds_locks_and_deletes() {
    on_both(async |cli| {
        let file = cli.folder.write("users.jsonl", USERS);
        assert_eq!(cli.call(&format!("users import {}", file.display())).0, 0);
        let is = |line: &str, code: i32, said: &str| {
            let (found, out, err) = cli.call(line);
            assert_eq!(found, code, "{line}: {out}{err}");
            assert!(err.contains(said) || out.contains(said), "{line}: {out}{err}");
            out
        };
        is("admin grant new@example.com --role admin", 1, "isn't proven");
        is("admin grant nobody@example.com --role admin", 1, "No account");
        is("admin grant jane@example.com --role root", 2, "");
        is(
            "admin grant jane@example.com --role admin --reason first",
            0,
            "as admin",
        );
        is(
            "admin grant jane@example.com --role support",
            1,
            "last administrator",
        );
        is("admin revoke jane@example.com", 1, "last administrator");
        is("users lock jane@example.com", 1, "last administrator");
        is("users delete +14155550001", 1, "last administrator");
        is("admin grant JOHN@example.com --role support", 0, "as support");
        let list = is("admin list", 0, "2 may administer");
        assert!(
            list.contains("jane@example.com\tadmin\tactive") && list.contains("john@example.com\tsupport"),
            "{list}"
        );
        is("admin revoke john@example.com", 0, "nothing any more");
        is("admin revoke john@example.com", 0, "administered nothing");

        let found = is("users find doe", 0, "3 found");
        assert_eq!(found.lines().count(), 3);
        let found = is("users find doer", 0, "1 found");
        let id = found.split('\t').next().unwrap().to_owned();
        is("users lock john@example.com --reason stolen", 0, "Locked");
        is("users find --status locked", 0, "john@example.com");
        is("users show john@example.com", 0, "status         locked");
        is("users show +14155550001", 0, "jane@example.com");
        is("users show nobody", 1, "Name an account");
        is("users unlock john@example.com", 0, "Unlocked");
        is("users end-sessions john@example.com", 0, "ended");
        is(
            "users confirm-phone john@example.com --reason passport",
            1,
            "not proven",
        );
        is("users confirm-email jane@example.com", 0, "opens it now");
        is(&format!("users delete {id} --reason asked"), 0, "Erased");
        is(&format!("users show {id}"), 1, "no such account");

        let tail = is("events tail -n 100", 0, "events.");
        let kinds: Vec<_> = tail
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .collect();
        let locked = kinds
            .iter()
            .find(|event| event["kind"] == "account.locked")
            .unwrap();
        assert_eq!(
            (locked["actor"].as_str(), locked["reason"].as_str()),
            (Some("operator"), Some("stolen"))
        );
        for kind in [
            "role.granted",
            "role.revoked",
            "users.searched",
            "user.viewed",
            "account.unlocked",
            "sessions.ended",
            "account.deleted",
        ] {
            assert!(
                kinds
                    .iter()
                    .any(|event| event["kind"] == kind && event["actor"] == "operator"),
                "{kind}: {tail}"
            );
        }
        is("events tail --kind nothing", 2, "no such kind");
        let tail = is(
            "events tail --user john@example.com --kind account.locked",
            0,
            "events.",
        );
        assert_eq!(tail.lines().count(), 1, "{tail}");
        is(&format!("events tail --user {id}"), 0, "0 events.");
        is("events tail --user nobody", 1, "Name an account");
        is("events tail --user nobody@example.com", 1, "no such account");
        let left = cli.text("SELECT CAST(count(*) AS text) FROM users").await;
        assert_eq!(left, "2");
    });
}
