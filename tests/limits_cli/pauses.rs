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
        let of_it: Vec<_> = told.lines().filter(|line| line.contains(parts[0])).collect();
        assert!(
            of_it.len() == 1 && of_it[0].contains("operator") && of_it[0].contains(parts[1]),
            "{told}"
        );
    }
}
