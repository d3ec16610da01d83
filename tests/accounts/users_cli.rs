//! `ringback users`, the program: files and Django projects taken over, on both databases.

use std::{
    fmt::Write as _,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use pbkdf2::pbkdf2_hmac;
use ringback::entropy::{Entropy, SystemEntropy};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use support::service::{Folder, Service};

use crate::program::{Cli, on_both};

/// As many as a file has in the larger tests.
const MANY: u32 = 10_000;

impl Cli<'_> {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let variables = [
            ("DATABASE_URL", self.database),
            ("RINGBACK__PASSWORDS__MEMORY_KIB", "64"),
        ];
        self.folder.command(&[&["users"], arguments].concat(), &variables)
    }

    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    async fn count(&self, of: &str) -> i64 {
        self.scalar(&format!("SELECT count(*) FROM {of}")).await
    }
}

pub fn line(n: u32) -> String {
    json!({
        "email": format!("user{n}@example.com"), "phone": format!("+1415{n:07}"), "first_name": "Ada",
        "password_hash": "pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo", "phone_verified": true,
    })
    .to_string()
}

pub fn lines(of: impl Iterator<Item = u32>) -> String {
    of.fold(String::new(), |mut all, n| {
        let _ = writeln!(all, "{}", line(n));
        all
    })
}

#[test]
fn a_file_is_imported_whole_or_not_at_all() {
    on_both(async |cli| {
        let mut text = lines(0..MANY);
        text += "{\"email\":\"sesame\"}\n";
        text += &(line(17) + "\n");
        let file = cli.folder.write("users.jsonl", &text);
        let (code, out, err) = cli.run(&["import", file.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        assert!(err.contains("line 10001: email: Enter"), "{err}");
        assert!(
            err.contains("line 10002: has the id, the e-mail address or the verified phone of line 18"),
            "{err}"
        );
        assert!(
            err.contains("2 lines are refused, and nothing is written"),
            "{err}"
        );
        assert!(!err.contains("sesame") && !err.contains("user17"), "{err}");
        assert_eq!(cli.count("users").await, 0);

        let (code, _, err) = cli.run(&["import", file.to_str().unwrap(), "--skip-refused"]);
        assert_eq!(code, 0, "{err}");
        assert!(
            err.contains("10000 users imported, 0 were there already, 2 lines refused"),
            "{err}"
        );
        assert_eq!(cli.count("users").await, i64::from(MANY));
        assert_eq!(
            cli.count("events WHERE kind = 'account.imported'").await,
            i64::from(MANY)
        );
    });
}

#[test]
fn an_import_that_was_killed_is_finished_by_another() {
    on_both(async |cli| {
        let file = cli.folder.write("users.jsonl", &lines(0..MANY));
        let arguments = ["import", file.to_str().unwrap()];
        let mut first = cli.command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
        let said = std::io::BufReader::new(first.stderr.take().unwrap());
        let is_written = |line: std::io::Result<String>| line.unwrap().starts_with("written");
        assert!(std::io::BufRead::lines(said).any(is_written));
        first.kill().unwrap();
        first.wait().unwrap();
        let there = cli.count("users").await;
        assert!(there > 0, "some are written");
        let (code, _, err) = cli.run(&arguments);
        assert_eq!(code, 0, "{err}");
        let last = format!(
            "{} users imported, {there} were there already, 0 lines refused.",
            i64::from(MANY) - there
        );
        assert_eq!(err.lines().last(), Some(&*last));
        assert_eq!(cli.count("users").await, i64::from(MANY));
        assert_eq!(cli.count("events").await, i64::from(MANY));
    });
}

#[test]
fn whoever_is_shut_out_by_an_import_is_counted() {
    on_both(async |cli| {
        let bare =
            |n: u32, more: &str| format!(r#"{{"email":"user{n}@example.com","phone":"+1415{n:07}"{more}}}"#);
        let verified = ",\"phone_verified\":true,\"email_verified\":true";
        let owned = ",\"email_verified\":true,\"email_owned_at\":\"2020-01-01T00:00:00Z\"";
        let phone_alone = r#"{"id":"0191e0c0-0000-7000-8000-000000000005","phone":"+14150000005","email":"","password_hash":"pbkdf2_sha256$1200$salt$aGFzaGhhc2hoYXNo"}"#;
        let text = [
            bare(1, verified),
            bare(2, owned),
            bare(3, ""),
            line(4),
            phone_alone.to_owned(),
        ];
        let file = cli.folder.write("users.jsonl", &text.join("\n"));
        let (code, _, err) = cli.run(&["import", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{err}");
        for said in [
            "\n1 of these users have neither a password",
            "\n1 of these users have no e-mail address and no verified phone",
            "5 users imported",
        ] {
            assert!(err.contains(said), "{said}: {err}");
        }
    });
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    on_both(async |cli| {
        let mut import = cli
            .command(&["import", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        import
            .stdin
            .take()
            .unwrap()
            .write_all(lines(0..2_500).as_bytes())
            .unwrap();
        assert!(import.wait().unwrap().success());
        let path = cli.folder.path().join("export.jsonl");
        let (code, out, err) = cli.run(&["export", path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
        assert!(err.contains("2500 users exported, with the hashes"), "{err}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let (code, _, _) = cli.run(&["export", path.to_str().unwrap()]);
        assert_eq!(code, 1, "nothing is written over");

        let elsewhere = Folder::new();
        let database = format!("sqlite://{}", elsewhere.path().join("users.db").display());
        let other = Cli {
            folder: &elsewhere,
            database: &database,
        };
        let (code, _, err) = other.run(&["import", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{err}");
        let (_, out, _) = other.run(&["export"]);
        assert_eq!(out, std::fs::read_to_string(&path).unwrap());
    });
}

#[test]
fn what_is_no_import_is_a_usage_error() {
    let folder = Folder::new();
    for arguments in [
        &["users"][..],
        &["users", "import"],
        &["users", "import", "a", "--from-django", "postgres://x/y"],
        &["users", "import", "a", "--table", "auth_user"],
    ] {
        let (code, _, err) = folder.run(arguments, &[]);
        assert_eq!(code, 2, "{arguments:?}: {err}");
    }
    for arguments in [
        &["users", "import", "nowhere"][..],
        &["users", "import", "--from-django", "mysql://x/y"],
        &["users", "import", "--from-django", "sqlite://nowhere.db"],
        &[
            "users",
            "import",
            "--from-django",
            "sqlite://nowhere.db",
            "--table",
            "a\"b",
        ],
    ] {
        let (code, _, err) = folder.run(arguments, &[]);
        assert_eq!(code, 1, "{arguments:?}: {err}");
    }
}

/// The table as Django's migrations make it for the project whose API this service has.
const DJANGO_POSTGRES: &str = "CREATE TABLE \"core_auth_user\" (\"id\" bigint NOT NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, \
    \"password\" varchar(128) NOT NULL, \"last_login\" timestamp with time zone NULL, \"is_superuser\" boolean NOT NULL, \
    \"first_name\" varchar(150) NOT NULL, \"last_name\" varchar(150) NOT NULL, \"is_staff\" boolean NOT NULL, \
    \"is_active\" boolean NOT NULL, \"date_joined\" timestamp with time zone NOT NULL, \"email\" varchar(254) NOT NULL UNIQUE, \
    \"phone\" varchar(20) NOT NULL, \"phone_verified\" boolean NOT NULL, \"email_verified\" boolean NOT NULL, \
    \"created_at\" timestamp with time zone NOT NULL, \"updated_at\" timestamp with time zone NOT NULL);";
const DJANGO_SQLITE: &str = "CREATE TABLE \"core_auth_user\" (\"id\" integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
    \"password\" varchar(128) NOT NULL, \"last_login\" datetime NULL, \"is_superuser\" bool NOT NULL, \
    \"first_name\" varchar(150) NOT NULL, \"last_name\" varchar(150) NOT NULL, \"is_staff\" bool NOT NULL, \
    \"is_active\" bool NOT NULL, \"date_joined\" datetime NOT NULL, \"email\" varchar(254) NOT NULL UNIQUE, \
    \"phone\" varchar(20) NOT NULL, \"phone_verified\" bool NOT NULL, \"email_verified\" bool NOT NULL, \
    \"created_at\" datetime NOT NULL, \"updated_at\" datetime NOT NULL);";

/// A hundred people, of whom the last may not sign in any more.
fn django_rows() -> String {
    let rows = (0..100).map(|n| {
        let (mut hash, salt) = ([0; 32], format!("salt{n}"));
        pbkdf2_hmac::<sha2::Sha256>(format!("quiet-otter-{n}").as_bytes(), salt.as_bytes(), 1_000, &mut hash);
        let hash = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash);
        format!(
            "('pbkdf2_sha256$1000${salt}${hash}', false, 'Ada', '', false, {}, '2025-01-02 03:04:05.678901', 'Django{n}@Example.com', \
             '+1415{n:07}', {}, true, '2025-01-02 03:04:05.678901', '2025-01-02 03:04:05.678901')",
            n < 99,
            n % 2 == 0
        )
    });
    let rows: Vec<_> = rows.collect();
    format!(
        "INSERT INTO core_auth_user (password, is_superuser, first_name, last_name, is_staff, is_active, date_joined, email, \
         phone, phone_verified, email_verified, created_at, updated_at) VALUES {};",
        rows.join(", ")
    )
}

/// A Django project: its URL.
async fn django_project(cli: &Cli<'_>) -> String {
    if cli.database.starts_with("sqlite") {
        let django = format!("sqlite://{}", cli.folder.path().join("django.sqlite3").display());
        let mut made = SqliteConnection::connect(&format!("{django}?mode=rwc"))
            .await
            .unwrap();
        let sql = AssertSqlSafe(DJANGO_SQLITE.to_owned() + &django_rows());
        sqlx::raw_sql(sql).execute(&mut made).await.unwrap();
        django
    } else {
        // Another table of the same database.
        let mut made = PgConnection::connect(cli.database).await.unwrap();
        let sql = AssertSqlSafe(DJANGO_POSTGRES.to_owned() + &django_rows());
        sqlx::raw_sql(sql).execute(&mut made).await.unwrap();
        cli.database.to_owned()
    }
}

#[test]
fn refused_rows_of_a_django_project_are_named_by_their_ids_there() {
    on_both(async |cli| {
        let django = django_project(&cli).await;
        for change in [
            "UPDATE core_auth_user SET id = 720, phone = 'sesame' WHERE id = 20",
            "UPDATE core_auth_user SET id = 730, phone = '+14150000000', phone_verified = true WHERE id = 30",
        ] {
            let sql = AssertSqlSafe(change);
            if cli.database.starts_with("sqlite") {
                let mut connection = SqliteConnection::connect(&django).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            } else {
                let mut connection = PgConnection::connect(&django).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
        let (code, _, err) = cli.run(&["import", "--from-django", &django]);
        assert_eq!(code, 1, "{err}");
        for said in [
            "row with id 720: phone: ",
            "row with id 730: has the id, the e-mail address or the verified phone of row with id 1\n",
            "2 rows are refused, and nothing is written",
        ] {
            assert!(err.contains(said), "{said}: {err}");
        }
        assert!(!err.contains("line ") && !err.contains("sesame"), "{err}");
    });
}

#[test]
fn a_django_project_moves_in_by_one_command_and_its_users_sign_in() {
    on_both(async |cli| {
        let django = django_project(&cli).await;
        let (code, _, err) = cli.run(&["import", "--from-django", &django, "--table", "a_user"]);
        assert!(code == 1 && err.contains("has no table a_user: "), "{err}");
        for (made, present) in [(100, 0), (0, 100)] {
            let (code, _, err) = cli.run(&["import", "--from-django", &django]);
            assert_eq!(code, 0, "{err}");
            let last = format!("{made} users imported, {present} were there already, 0 rows refused.");
            assert_eq!(err.lines().last(), Some(&*last));
        }
        assert_eq!(
            cli.count("users WHERE hash_cost = 'pbkdf2_sha256 1000'").await,
            100
        );

        let limits = cli.folder.write("limits.toml", "");
        let variables = [
            ("DATABASE_URL", cli.database),
            ("RINGBACK__PASSWORDS__MEMORY_KIB", "64"),
            ("RINGBACK__LIMITS__FILE", limits.to_str().unwrap()),
        ];
        let service = Service::start(cli.folder, &variables);
        let login = async |name: &str, value: String, password: String| {
            let body = json!({ name: value, "password": password }).to_string();
            service.post("/api/users/login/", body).await
        };
        for n in 0..100 {
            let answer = login(
                "email",
                format!("django{n}@example.com"),
                format!("quiet-otter-{n}"),
            )
            .await;
            let expected = if n < 99 { 200 } else { 401 };
            assert_eq!(answer.status, expected, "{n}: {answer:?}");
            if n < 99 {
                let user = &answer.body["user"];
                assert_eq!(user["created_at"], "2025-01-02T03:04:05.678901Z");
                assert_eq!(
                    (&user["phone_verified"], &user["email_verified"]),
                    (&json!(n % 2 == 0), &json!(true))
                );
            }
        }
        // Their hashes are of today by now, and still good.
        assert_eq!(
            cli.count("users WHERE hash_cost IS NULL AND password_hash LIKE '$argon2id$%'")
                .await,
            99
        );
        let by_phone = login("phone", "+14150000004".to_owned(), "quiet-otter-4".to_owned()).await;
        assert_eq!(by_phone.status, 200, "{by_phone:?}");
        let wrong = login(
            "email",
            "django5@example.com".to_owned(),
            "quiet-otter-6".to_owned(),
        )
        .await;
        wrong.is(401, "invalid_credentials");
    });
}

#[test]
fn lines_that_meet_other_accounts_are_refused() {
    on_both(async |cli| {
        let file = cli.folder.write("first.jsonl", &lines(0..3));
        assert_eq!(cli.run(&["import", file.to_str().unwrap()]).0, 0);
        let id = (&SystemEntropy as &dyn Entropy).uuid();
        let of = |n: u32, key: &str, value: serde_json::Value| {
            let mut line: serde_json::Value = serde_json::from_str(&line(n)).unwrap();
            line[key] = value;
            line.to_string()
        };
        let text = [
            of(0, "id", json!(id)),
            of(7, "phone", json!("+14150000001")),
            of(2, "first_name", json!("Bob")),
            of(8, "password_hash", json!("md5$a$b")),
            of(
                9,
                "password_hash",
                json!("pbkdf2_sha256$999999999$salt$aGFzaGhhc2hoYXNo"),
            ),
        ];
        let file = cli.folder.write("second.jsonl", &text.join("\n"));
        let (code, _, err) = cli.run(&["import", file.to_str().unwrap()]);
        assert_eq!(code, 1);
        for said in [
            "line 1: email: an account with another id has it",
            "line 2: phone: another account has verified it",
            "line 4: password_hash: a kind of hash that is not known here",
            "line 5: password_hash: a hash that costs too much to compute",
            "4 lines are refused",
        ] {
            assert!(err.contains(said), "{said}: {err}");
        }
        assert!(!err.contains("line 3"), "{err}");
        assert_eq!(cli.count("users").await, 3);
    });
}
