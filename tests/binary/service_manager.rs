//! What systemd is told of the service.

use std::{
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use support::service::{Folder, Service};

/// What is said next, as its lines; none within the patience of a test.
fn next(socket: &UnixDatagram) -> Vec<String> {
    let mut said = [0; 1024];
    let length = socket.recv(&mut said).expect("systemd would be told something");
    let said = String::from_utf8(said[..length].to_vec()).unwrap();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn systemd_is_told_of_the_start_of_life_and_of_the_end() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let service = Service::start(
        &folder,
        &[
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "300000"),
            ("RINGBACK__SERVER__DRAIN_DELAY", "1s"),
            ("RINGBACK__SERVER__SHUTDOWN_TIMEOUT", "2s"),
        ],
    );
    assert_eq!(next(&socket)[0], "READY=1");
    let began = Instant::now();
    for _ in 0..4 {
        assert_eq!(next(&socket), ["WATCHDOG=1"]);
    }
    assert!(
        began.elapsed() >= Duration::from_millis(250),
        "a third of the time apart"
    );
    service.signal("TERM");
    let end = std::iter::repeat_with(|| next(&socket)).find(|said| *said != ["WATCHDOG=1"]);
    let end = end.unwrap();
    assert_eq!(end[0], "STOPPING=1");
    assert!(
        end.contains(&"EXTEND_TIMEOUT_USEC=18000000".to_owned()),
        "{end:?}"
    );
    assert_eq!(service.end().0, 0);
}

/// The unit takes calls away that the service makes: what is not named again would end it at its start.
#[test]
fn the_unit_leaves_the_hashing_threads_their_priority() {
    let unit = std::fs::read_to_string("deploy/systemd/ringback.service").unwrap();
    let filters: Vec<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .collect();
    let denied = filters.iter().position(|filter| filter.contains("@resources"));
    let allowed = filters.iter().position(|filter| *filter == "setpriority");
    assert!(denied < allowed, "the last word holds: {filters:?}");
    assert!(
        unit.contains("\nSystemCallErrorNumber=EPERM\n"),
        "a denied call must not kill"
    );
}
