//! The configuration by its commands: taken whole, or refused with every fault and exit code 78.

use support::service::Folder;

const SECRET: &str = "9NUgm2Hb0aVtUYOzuQsxK1gO8aOS2Vxm1d1EoYYb3Zk=";

/// Asserts that each line speaks of one fault, in this order.
fn each_line_has(text: &str, parts: &[&str]) {
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), parts.len(), "{text}");
    for (line, part) in lines.iter().zip(parts) {
        assert!(line.contains(part), "{part:?} in {line}");
    }
}

#[test]
fn help_explains_each_command() {
    let folder = Folder::new();
    let (code, help, err) = folder.run(&["--help"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in ["serve ", "migrate ", "config ", "default.toml"] {
        assert!(help.contains(part), "{help}");
    }
    for (command, part) in [
        (&["serve", "--help"][..], "Serve the API"),
        (&["migrate", "--help"], "tables"),
        (&["config", "--help"], "show"),
        (&["config", "check", "--help"], "--file"),
        (&["config", "show", "--help"], "masked"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let (code, help, _) = folder.run(command, &[]);
        assert!(code == 0 && help.contains(part), "{command:?}: {help}");
    }
}

#[test]
fn a_wrong_command_is_exit_code_2() {
    let folder = Folder::new();
    for command in [
        &["dance"][..],
        &["--port", "80"],
        &["serve", "now"],
        &["config"],
        &["config", "mend"],
        &["config", "check", "--file"],
    ] {
        let (code, out, err) = folder.run(command, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{command:?}");
        assert!(err.contains("--help"), "{err}");
    }
}

#[test]
fn every_fault_is_listed_at_once() {
    let folder = Folder::new();
    folder.write(
        "config/development.toml",
        "[otp]\nlenght = 6\n[messages]\nbrand = 7\n",
    );
    let variables = [
        ("RINGBACK__SERVER__BIND", "nowhere"),
        ("RINGBACK__OTP__TTL", "2h"),
        ("RINGBACK__OTP__WORDS", "many"),
        ("RINGBACK_SECRET", "a-secret-that-is-no-base64"),
        ("TWILIO_ACCOUNT_SID", "AC1"),
    ];
    for command in [
        &["serve"][..],
        &[],
        &["migrate"],
        &["config", "check"],
        &["config", "show"],
    ] {
        let (code, out, err) = folder.run(command, &variables);
        assert_eq!((code, out.as_str()), (78, ""), "{command:?}");
        each_line_has(
            &err,
            &[
                "config/development.toml:2: otp.lenght = 6",
                "config/development.toml:4: messages.brand = 7",
                "RINGBACK_SECRET",
                "RINGBACK__OTP__TTL = \"2h\"",
                "RINGBACK__OTP__WORDS",
                "RINGBACK__SERVER__BIND = \"nowhere\"",
                "TWILIO_AUTH_TOKEN, TWILIO_PHONE_NUMBER",
            ],
        );
        assert!(!err.contains("a-secret"), "{err}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was begun");
}

/// What the start would refuse, the check refuses.
#[test]
fn a_database_that_cannot_be_meant_is_refused_by_check_and_start() {
    let folder = Folder::new();
    for url in [
        "sqlite://:memory:",
        "sqlite://users.db?mode=rwx",
        "postgres://user:hush@localhost/users?sslmode=typo",
    ] {
        for command in [&["serve"][..], &["migrate"], &["config", "check"]] {
            let (code, out, err) = folder.run(command, &[("DATABASE_URL", url)]);
            assert_eq!((code, out.as_str()), (78, ""), "{command:?} {url}: {err}");
            each_line_has(&err, &["environment: DATABASE_URL = "]);
            assert!(!err.contains("hush"), "{err}");
        }
    }
    assert!(!folder.path().join("users.db").exists(), "a check makes no file");
}

#[test]
fn production_does_not_start_without_its_parts() {
    let folder = Folder::new();
    for command in [&["serve"][..], &["config", "check"]] {
        let (code, out, err) = folder.run(command, &[("RINGBACK_ENV", "production")]);
        assert_eq!((code, out.as_str()), (78, ""));
        each_line_has(
            &err,
            &[
                "RINGBACK__SMS__COUNTRIES_ALLOW",
                "DATABASE_URL",
                "REDIS_URL",
                "RINGBACK_SECRET",
                "TWILIO_ACCOUNT_SID",
            ],
        );
    }
    let (code, _, err) = folder.run(&["serve"], &[("RINGBACK_ENV", "staging")]);
    assert_eq!(code, 78);
    each_line_has(&err, &["RINGBACK_ENV = \"staging\""]);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_sound_configuration_is_said_to_be_sound() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["config", "check"], &[]).0, 0);
    let whole = [
        ("RINGBACK_ENV", "production"),
        ("RINGBACK_SECRET", SECRET),
        (
            "DATABASE_URL",
            "postgres://user:password@db.example.com/ringback?sslmode=require",
        ),
        (
            "REDIS_URL",
            "rediss+sentinel://a.example.com:26379,b.example.com:26379/main",
        ),
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("TWILIO_PHONE_NUMBER", "+15005550006"),
        ("SMTP_URL", "smtps://user:password@mail.example.com"),
        ("RINGBACK__MAIL__FROM", "Example <no-reply@example.com>"),
    ];
    let (code, out, err) = folder.run(&["config", "check"], &whole);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "The configuration is sound.\n", "")
    );
    // Without a mail server it is sound as well, and what that means is told.
    let (code, out, _) = folder.run(&["config", "check"], &whole[..whole.len() - 2]);
    assert_eq!(code, 0);
    each_line_has(&out, &["is sound", "SMTP_URL, RINGBACK__MAIL__FROM"]);
    // Half of it is none.
    let (code, _, err) = folder.run(&["config", "check"], &whole[..whole.len() - 1]);
    assert_eq!(code, 78);
    each_line_has(
        &err,
        &["RINGBACK__MAIL__FROM: not set, though the rest of the mail server is"],
    );
}

#[test]
fn every_file_that_the_start_reads_is_checked() {
    let folder = Folder::new();
    folder.write("prices.toml", "currency = \"USD\"\ndefault = 0.1\n");
    folder.write(
        "faulty.toml",
        "[[rule]]\nid = \"r\"\non = \"me\"\nby = \"ip\"\nquota = 0\nper = \"1m\"\n",
    );
    let variables = [
        ("DATABASE_URL", "postgres://ringback@db.example.com/ringback"),
        ("RINGBACK__DATABASE__CA_FILE", "/missing/ca.pem"),
        ("RINGBACK__LIMITS__PRICES", "prices.toml"),
        ("RINGBACK__LIMITS__FILE", "faulty.toml"),
        ("RINGBACK__PASSWORDS__BREACH_FILE", "/missing/breaches"),
    ];
    let (code, out, err) = folder.run(&["config", "check"], &variables);
    assert_eq!((code, out.as_str()), (78, ""), "{err}");
    each_line_has(
        &err,
        &[
            "prices.toml: line 2: ",
            "breaches",
            "database.ca_file: it can't be read",
            "faulty.toml:5:",
        ],
    );
}

#[test]
fn a_text_that_cannot_be_sent_is_refused_with_its_place() {
    let folder = Folder::new();
    let text = "config/messages/verify_phone.ru.txt";
    folder.write(text, "{brand}\nкод {cod}\n");
    for command in [&["serve"][..], &["config", "check"]] {
        let (code, out, err) = folder.run(command, &[]);
        assert_eq!((code, out.as_str()), (78, ""), "{command:?}");
        each_line_has(
            &err,
            &["config/messages/verify_phone.ru.txt:2:5: no such name, {cod}"],
        );
    }
    // What is only dear is told.
    folder.write(text, &"код {code} ".repeat(10));
    let (code, out, _) = folder.run(&["config", "check"], &[]);
    assert_eq!(code, 0);
    each_line_has(&out, &["is sound", "\"ru\" takes 2 segments"]);
}

#[test]
fn a_file_is_checked_before_it_is_rolled_out() {
    let folder = Folder::new();
    let good = folder.write("next.toml", "[otp]\nttl = \"5m\"\n");
    let check = |file: &str| {
        folder.run(
            &["config", "check", "--file", file],
            &[("RINGBACK_ENV", "production")],
        )
    };
    let (code, _, err) = check(good.to_str().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
    folder.write(
        "next.toml",
        "[otp]\nttl = \"5w\"\nlenght = 6\n[server]\nbind = 80\n",
    );
    let (code, _, err) = check("next.toml");
    assert_eq!(code, 78);
    each_line_has(
        &err,
        &[
            "next.toml:2: otp.ttl",
            "next.toml:3: otp.lenght",
            "next.toml:5: server.bind",
        ],
    );
    folder.write("next.toml", "otp\n");
    assert_eq!(check("next.toml").0, 78, "no TOML");
    let (code, _, err) = check("missing.toml");
    assert_eq!(code, 78);
    each_line_has(&err, &["missing.toml"]);

    let rule = "[[rule]]\nid = 'a'\non = 'login'\nby = 'ip'\nquota = 5\nper = '1h'\n";
    folder.write("limits.toml", rule);
    let (code, out, _) = check("limits.toml");
    assert!(code == 0 && out.contains("1 rule"), "{out}");
    let money = rule
        .replace("'login'", "'otp.send'")
        .replace("'ip'", "'country'")
        .replace("quota = 5", "quota = '3 EUR'\ncounts = 'money'");
    folder.write("limits.toml", &money);
    let (code, _, err) = check("limits.toml");
    assert!(code == 78 && err.contains("the prices are in USD"), "{err}");
    folder.write(
        "limits.toml",
        &format!("{rule}{}", rule.replace("'login'", "'dance'")),
    );
    let (code, _, err) = check("limits.toml");
    assert_eq!(code, 78);
    each_line_has(
        &err,
        &["limits.toml:8:6: duplicate id", "limits.toml:9:6: unknown on"],
    );
}

/// Other programs' variables may hold anything.
#[test]
fn an_environment_that_is_no_text_is_no_fault() {
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    folder.write("next.toml", "[otp]\nttl = \"5m\"\n");
    for command in [
        &["config", "check"][..],
        &["config", "check", "--file", "next.toml"],
    ] {
        let mut program = folder.command(command, &[]);
        program.env("OTHER", std::ffi::OsStr::from_bytes(b"\xff\xfe"));
        let output = program.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {output:?}");
    }
}

/// What the start would refuse, the check refuses.
#[test]
fn a_faulty_limits_file_is_refused_by_check_and_start() {
    let folder = Folder::new();
    folder.write(
        "config/limits.toml",
        "[[rule]]\nid = 'a'\non = 'login'\nby = 'ip'\nquota = 0\nper = '1w'\n",
    );
    for command in [&["serve"][..], &["config", "check"]] {
        let (code, out, err) = folder.run(command, &support::service::FREE_PORTS);
        assert_eq!((code, out.as_str()), (78, ""), "{command:?}");
        each_line_has(&err, &["limits.toml:5:9: quota", "limits.toml:6:7: "]);
    }
    let missing = [("RINGBACK__LIMITS__FILE", "missing.toml")];
    for command in [&["serve"][..], &["config", "check"]] {
        let (code, _, err) = folder.run(command, &missing);
        assert_eq!(code, 78, "{command:?}");
        each_line_has(&err, &["RINGBACK__LIMITS__FILE = \"missing.toml\""]);
    }
}

#[test]
fn show_says_where_each_value_is_from_and_masks_secrets() {
    let folder = Folder::new();
    folder.write("config/production.toml", "[otp]\nttl = \"5m\"\n");
    let variables = [
        ("RINGBACK_ENV", "production"),
        ("RINGBACK_SECRET", SECRET),
        (
            "DATABASE_URL",
            "postgres://user:hidden-one@db.example.com/ringback?sslmode=require",
        ),
        ("REDIS_URL", "rediss://:hidden-two@redis.example.com"),
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*"),
        ("TWILIO_AUTH_TOKEN", "hidden-three"),
        ("TWILIO_PHONE_NUMBER", "+15005550006"),
        ("RINGBACK__OTP__LENGTH", "8"),
    ];
    let (code, out, err) = folder.run(&["config", "show"], &variables);
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [
        "RINGBACK_ENV=production",
        "\nttl = \"5m\" # config/production.toml:2",
        "\nlength = 8 # environment: RINGBACK__OTP__LENGTH",
        "\nmax_attempts = 3 # built in",
        "db.example.com",
        "redis.example.com",
    ] {
        assert!(out.contains(part), "{part:?} in {out}");
    }
    assert!(!out.contains("hidden") && !out.contains(SECRET), "{out}");
    // What is shown is TOML, and a sound configuration.
    folder.write("shown.toml", &out);
    let shown: toml::Table = out.parse().unwrap();
    assert_eq!(shown["otp"]["length"].as_integer(), Some(8));
}

#[test]
fn redis_certificates_that_are_none_are_refused() {
    let folder = Folder::new();
    let url = ("REDIS_URL", "rediss://127.0.0.1:1");
    let missing = [url, ("RINGBACK__REDIS__CA_FILE", "nowhere.pem")];
    let (code, _, err) = folder.run(&["config", "check"], &missing);
    assert_eq!(code, 78);
    each_line_has(&err, &["redis.ca_file: nowhere.pem can't be read"]);
    let half = [url, ("RINGBACK__REDIS__CLIENT_CERT_FILE", "client.pem")];
    let (code, _, err) = folder.run(&["config", "check"], &half);
    assert_eq!(code, 78);
    each_line_has(&err, &["redis.client_key_file"]);
    let plain = [
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("RINGBACK__REDIS__CA_FILE", "ca.pem"),
    ];
    let (code, _, err) = folder.run(&["config", "check"], &plain);
    assert_eq!(code, 78);
    each_line_has(
        &err,
        &["redis.ca_file: certificates are for a redis.url that begins with rediss://"],
    );
}

#[test]
fn a_list_of_stolen_passwords_that_is_none_is_refused() {
    let folder = Folder::new();
    let file = folder.write("stolen.txt", "password\n");
    let refused = |path: &str| {
        let (code, _, err) = folder.run(
            &["config", "check"],
            &[("RINGBACK__PASSWORDS__BREACH_FILE", path)],
        );
        assert_eq!(code, 78, "{err}");
        each_line_has(&err, &["passwords.breach_file"]);
    };
    refused(file.to_str().unwrap());
    refused("nowhere.txt");
}
