//! Every fault, at once, with its place and what is allowed.

use std::{fs, path::PathBuf};

use crate::place::Place;

#[test]
fn every_fault_is_named_at_once_with_its_place_and_what_is_allowed() {
    let place = Place::new()
        .file(
            "default.toml",
            "[server]\nworkers = \"many\"\n\n[otp]\nlength = 5\nttl = 600\n",
        )
        .file(
            "development.toml",
            "[otp]\nlenght = 6\n[serverr]\nbind = \"x\"\n[phone]\ncheck = \"strict\"",
        )
        .var("RINGBACK__SERVER__WORKERS", "4")
        .var("RINGBACK__OTP__MAX_ATTEMPTS", "11")
        .var("RINGBACK__OTP__TLL", "1s")
        .var("RINGBACK_FOO", "bar");
    let duration =
        "must be a duration in quotes, a whole number with ms, s, m, h or d, from \"1s\" to \"1h\"";
    assert_eq!(
        place.faults(),
        [
            "default.toml:2: server.workers = \"many\": must be a whole number from 0 to 1024",
            "default.toml:5: otp.length = 5: must be a whole number from 6 to 10",
            &format!("default.toml:6: otp.ttl = 600: {duration} (not a text in quotes)"),
            "development.toml:2: otp.lenght = 6: no such key, did you mean otp.length?",
            "development.toml:4: serverr.bind = \"x\": no such key, did you mean server.bind?",
            "development.toml:6: phone.check = \"strict\": must be \"e164\", \"possible\" or \"valid\"",
            "environment: RINGBACK_FOO = \"***\": no such variable: \
             must be RINGBACK__SECTION__KEY of a key in config/default.toml",
            "environment: RINGBACK__OTP__MAX_ATTEMPTS = 11: must be a whole number from 1 to 10",
            "environment: RINGBACK__OTP__TLL = \"1s\": no such variable, did you mean RINGBACK__OTP__TTL?",
        ]
    );
    assert_eq!(place.load().unwrap_err().iter().count(), place.faults().len());
}

#[test]
fn what_is_not_toml_is_named_with_line_and_column_and_hides_no_other_fault() {
    let place = Place::new()
        .file(
            "default.toml",
            "[twilio]\nauth_token = hush\n\n[otp]\nttl = \"1s\nlength = 3\n[phone]\ncheck = 1\n",
        )
        .file("development.toml", b"[sms]\nbrand = \"\xff\"\n")
        .var("RINGBACK__OTP__LENGTH", "2");
    let faults = place.faults().join("\n");
    for expected in [
        "default.toml:2:14: not TOML: ",
        "default.toml:5:",
        "default.toml:6: otp.length = 3",
        "default.toml:8: phone.check = 1",
        "development.toml:2:10: not TOML: not UTF-8",
        "RINGBACK__OTP__LENGTH = 2",
    ] {
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
    assert!(!faults.contains("hush"), "{faults}");
    assert_eq!(faults.lines().count(), 6, "{faults}");
}

#[test]
fn the_choice_of_layers_can_be_wrong_too() {
    let here = Place::new().file("a-file", "");
    for dir in [PathBuf::new(), here.dir.join("nowhere"), here.dir.join("a-file")] {
        let faults = Place::new()
            .var("RINGBACK_CONFIG_DIR", &dir.display().to_string())
            .faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with("environment: RINGBACK_CONFIG_DIR = "),
            "{faults:?}"
        );
    }
    for env in ["", "Production", "staging"] {
        assert_eq!(
            Place::new().var("RINGBACK_ENV", env).faults(),
            [format!(
                "environment: RINGBACK_ENV = \"{env}\": must be \"development\" or \"production\""
            )]
        );
    }
    let unreadable = Place::new();
    fs::create_dir(unreadable.dir.join("development.toml")).unwrap();
    let faults = unreadable.faults();
    assert!(
        faults.len() == 1 && faults[0].starts_with("development.toml: cannot be read"),
        "{faults:?}"
    );
}

#[test]
fn unknown_sections_misplaced_keys_and_rules_say_where_they_belong() {
    let place = Place::new().file(
        "development.toml",
        "server = 3\nbind = \"x\"\n[otp.ttl]\nx = 1\n[nothing]\n[sms]\n[inbox]\nfolder = 1\n[[rule]]\nid = \"a\"\n",
    );
    let faults = place.faults();
    for expected in [
        "development.toml:1: server = \"***\": must be a section, [server]",
        "development.toml:2: bind = \"***\": no such section: must be server, admin, database, redis,",
        "development.toml:3: otp.ttl = {…}: must be a duration",
        "development.toml:5: nothing = {…}: no such section: must be server,",
        "development.toml:8: inbox.folder = \"***\": no such key: [inbox] has size",
        "development.toml:9: rule = \"***\": rules stand in a file of their own, which limits.file names",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(expected)),
            "{expected}\n{faults:#?}"
        );
    }
    assert_eq!(faults.len(), 6, "{faults:#?}");
}

#[test]
fn only_variables_that_are_meant_for_us_are_judged() {
    Place::new()
        .var("RINGBACK_TEST_DATABASE_URL", "x")
        .var("HOME", "/")
        .var("TWILIO_REGION", "x")
        .var("REDIS_HOST", "x")
        // A Kubernetes service by the name of `ringback`, and one named `ringback-ops`.
        .var("RINGBACK_SERVICE_HOST", "10.0.0.1")
        .var("RINGBACK_SERVICE_PORT", "8000")
        .var("RINGBACK_SERVICE_PORT_HTTP", "8000")
        .var("RINGBACK_PORT", "tcp://10.0.0.1:8000")
        .var("RINGBACK_PORT_8000_TCP", "tcp://10.0.0.1:8000")
        .var("RINGBACK_PORT_8000_TCP_ADDR", "10.0.0.1")
        .var("RINGBACK_OPS_PORT", "tcp://10.0.0.1:8001")
        .good();
    for (name, hint) in [
        ("RINGBACK_PORT", "no such variable"),
        ("RINGBACK__SERVER", "no such variable"),
        ("RINGBACK__SERVER__PORT", "no such variable"),
        ("RINGBACK__SERVER__BIND__X", "no such variable"),
        ("RINGBACK__server__bind", "did you mean RINGBACK__SERVER__BIND?"),
        ("RINGBACK_SECRETS", "did you mean RINGBACK_SECRET?"),
        ("RINGBACK_CONFIG_DIRS", "did you mean RINGBACK_CONFIG_DIR?"),
        ("RINGBACK__SERVICE_HOST", "no such variable"),
    ] {
        let faults = Place::new().var(name, "8000").faults();
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        assert!(
            faults[0].contains(&format!("{name} = ")) && faults[0].contains(hint),
            "{faults:?}"
        );
    }
    let broken = Place::new().var("REDIS_URL", "redis://\u{FFFD}").faults();
    assert_eq!(broken, ["environment: REDIS_URL: must be UTF-8"]);
}
