//! Receivers of events: tables of their own, whose secrets nobody is shown.

use crate::place::{Place, WEBHOOK_SECRET};

fn table(fields: &str) -> String {
    format!("[[events.webhook]]\n{fields}\n")
}

fn crm(more: &str) -> String {
    table(&format!(
        "name = \"crm\"\nurl = \"https://crm.example.com/in\"\nsecret = \"{WEBHOOK_SECRET}\"\n{more}"
    ))
}

#[test]
fn each_receiver_is_a_table_or_an_item_of_the_variable() {
    let two = crm("kinds = [\"account.*\"]") + &crm("allow_plaintext = true").replace("crm\"", "siem\"");
    let settings = Place::new().file("development.toml", two).good();
    let webhooks = &settings.events.webhooks;
    let names: Vec<_> = webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
    assert_eq!(names, ["crm", "siem"]);
    assert!(webhooks[0].kinds.names().all(|kind| kind.starts_with("account.")));
    let shown = settings.show();
    assert!(
        shown.contains("secret = \"***\"") && shown.contains("https://crm.example.com/in"),
        "{shown}"
    );
    assert!(
        !format!("{settings:?}{shown}").contains("aHVzaGh1"),
        "no secret is shown"
    );

    let variable =
        format!(r#"[{{ name = "env", url = "http://127.0.0.1:9/x", secret = "{WEBHOOK_SECRET}" }}]"#);
    let settings = Place::new()
        .file("development.toml", crm(""))
        .var("RINGBACK__EVENTS__WEBHOOK", &variable)
        .good();
    assert_eq!(settings.events.webhooks[0].name, "env");
    assert!(Place::new().good().events.webhooks.is_empty());
}

#[test]
fn a_faulty_receiver_is_refused_and_shows_no_secret() {
    let named = |name: &str| crm("").replace("\"crm\"", &format!("\"{name}\""));
    let secret = |secret: &str| crm("").replace(WEBHOOK_SECRET, secret);
    for (text, why) in [
        (crm("kinds = [\"password\"]"), "kinds is a list"),
        (crm("kinds = \"account.*\""), "kinds is a list"),
        (crm("secrets = \"x\""), "there is no secrets"),
        (crm("allow_plaintext = 1"), "allow_plaintext is true or false"),
        (named(""), "1 to 40 lower-case"),
        (named("C R M"), "1 to 40 lower-case"),
        (secret("aHVzaA=="), "24 to 64 random bytes"),
        (secret(""), "24 to 64 random bytes"),
        (table("name = \"crm\"\nurl = \"https://x\""), "secret is missing"),
        (
            crm("").replace("https://crm", "ftp://crm"),
            "url is an http or https URL",
        ),
        (crm("") + &crm(""), "a name of its own"),
        (
            "[events]\nwebhook = \"hush\"\n".to_owned(),
            "not a list of tables",
        ),
        (
            "[events]\nwebhook = [\"hush\"]\n".to_owned(),
            "tables [[events.webhook]]",
        ),
    ] {
        let faults = Place::new().file("development.toml", &text).faults();
        assert!(faults.len() == 1 && faults[0].contains(why), "{text}: {faults:?}");
        assert!(
            !faults[0].contains("aHVzaG") && !faults[0].contains("hush"),
            "{faults:?}"
        );
    }
}

#[test]
fn all_that_is_wrong_with_receivers_is_told_at_once() {
    let second = table("name = \"B\"\nurl = \"ftp://x\"\nkinds = 7\nsecrets = \"hush\"");
    let faults = Place::new()
        .file(
            "development.toml",
            crm("allow_plaintext = 1") + &crm("") + &second,
        )
        .faults();
    let whys = [
        "table 1: allow_plaintext is true",
        "table 3: there is no secrets; name has 1 to 40",
        "; url is an http",
        "; secret is missing; kinds is a list",
    ];
    assert!(
        faults.len() == 1 && whys.iter().all(|why| faults[0].contains(why)),
        "{faults:?}"
    );
    assert!(
        !faults[0].contains("table 2") && !faults[0].contains("hush"),
        "{faults:?}"
    );
}

#[test]
fn in_production_events_are_not_readable_on_the_way() {
    let at = |url: &str, more: &str| {
        let text = crm(more).replace("https://crm.example.com/in", url);
        Place::new().production().file("production.toml", text)
    };
    for url in ["http://crm.example.com/in", "http://10.0.0.1"] {
        let faults = at(url, "").faults();
        assert!(faults.len() == 1 && faults[0].contains("https://"), "{faults:?}");
        at(url, "allow_plaintext = true").good();
    }
    for url in ["http://127.0.0.1:9/in", "http://localhost", "https://10.0.0.1"] {
        at(url, "").good();
    }
}

#[test]
fn production_that_registers_by_code_alone_needs_a_way_to_send_e_mail() {
    const KEY: &str = "RINGBACK__ACCOUNTS__REGISTER_CODE";
    let faults = Place::new().production().var(KEY, "required").faults();
    assert!(faults.len() == 1 && faults[0].contains("SMTP_URL"), "{faults:?}");
    Place::new().production().var(KEY, "optional").good();
    Place::new()
        .production()
        .every_provider()
        .var(KEY, "required")
        .good();
    Place::new().var(KEY, "required").good();
}
