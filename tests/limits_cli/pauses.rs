//! `ringback limits pause` and `resume`.

use super::{Service, printed, ringback, text};

#[test]
fn a_pause_and_its_end_are_events_by_the_operator() {
    let service = Service::start("pauses");
    let pause = service.limits(&[
        "pause",
        "--country",
        "TJ",
        "--for",
        "2h",
        "--reason",
        "somebody pumps",
    ]);
    assert_eq!(printed(&pause), "No codes go to TJ for 2h, in all instances.\n");
    assert_eq!(text(&pause.stderr), "", "an event was written");
    let resume = ["resume", "--country", "TJ", "--reason", "it is over"];
    for said in [
        "Codes go to TJ again, in all instances.\n",
        "TJ was not paused.\n",
    ] {
        let resumed = service.limits(&resume);
        assert_eq!(
            (printed(&resumed).as_str(), text(&resumed.stderr).as_str()),
            (said, "")
        );
    }
    // What is longer than six digits is a keyed digest in the log, the same each time.
    for (action, arguments) in [
        ("pause", &["pause", "--prefix", "+14155552", "--for", "2h"][..]),
        ("resume", &["resume", "--prefix", "+14155552"][..]),
        ("pause", &["pause", "--prefix", "+99291", "--for", "2h"][..]),
    ] {
        assert!(service.limits(arguments).status.success(), "{action}");
    }
    service.logged("\"limits.paused\":\"99291\"");
    let log = service.log.lock().unwrap().join("\n");
    assert!(!log.contains("4155552"), "{log}");
    let digests: Vec<_> = log
        .lines()
        .filter_map(|line| line.split_once("\"limits.paused\":\""))
        .map(|(_, name)| name.split('"').next().unwrap())
        .filter(|name| !["TJ", "99291"].contains(name))
        .collect();
    assert!(
        digests.len() == 2 && digests[0] == digests[1] && digests[0].len() > 10,
        "{digests:?}"
    );
    let events = ringback(&["events", "tail"])
        .env("RINGBACK_CONFIG_DIR", &service.folder)
        .env("RINGBACK__DATA__DIR", service.folder.join("data"))
        .output()
        .unwrap();
    let told = printed(&events);
    for parts in [
        ["limits.paused", "somebody pumps"],
        ["limits.resumed", "it is over"],
    ] {
        let is_it = |line: &&str| parts.iter().all(|part| line.contains(part));
        let of_it: Vec<_> = told.lines().filter(is_it).collect();
        assert!(of_it.len() == 1 && of_it[0].contains("operator"), "{told}");
    }
}
