//! `ringback limits`, the way operators type it, beside a running service.

mod pauses;

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const LIMITS: &str = "
[[rule]]
id    = \"send-hour\"
on    = \"otp.send\"
by    = \"phone\"
quota = 5
per   = \"1h\"

[[rule]]
id    = \"login-guess\"
on    = \"login\"
by    = [\"ip\", \"user\"]
quota = 2
per   = \"1h\"
scope = \"instance\"
mode  = \"shadow\"
";

/// A service of its own, ended with the test.
struct Service {
    child: Child,
    folder: PathBuf,
    ops: String,
    log: Arc<Mutex<Vec<String>>>,
}

fn ringback(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.args(arguments).env_clear();
    command
}

impl Service {
    fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ringback-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("limits.toml"), LIMITS).unwrap();
        let mut child = ringback(&[])
            .env("RINGBACK_CONFIG_DIR", &folder)
            .env("RINGBACK__DATA__DIR", folder.join("data"))
            .env("RINGBACK__SERVER__BIND", "127.0.0.1:0")
            .env("RINGBACK__SERVER__OPS_BIND", "127.0.0.1:0")
            .env("RINGBACK__ADMIN__BIND", "127.0.0.1:0")
            .env("RINGBACK__TELEMETRY__FORMAT", "json")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (
            BufReader::new(child.stdout.take().unwrap()).lines(),
            Arc::clone(&log),
        );
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| kept.lock().unwrap().push(line))
        });
        let mut service = Self {
            child,
            folder,
            ops: String::new(),
            log,
        };
        let line = service.logged("Metrics");
        let url = line.split_whitespace().nth(1).unwrap();
        service.ops = url.split("/metrics").next().unwrap().to_owned();
        service
    }

    /// The first line with `text` in it, as soon as it is there.
    fn logged(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.log.lock().unwrap().clone();
            if let Some(line) = log.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "no {text:?} in {log:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn limits(&self, arguments: &[&str]) -> Output {
        ringback(&["limits"])
            .args(arguments)
            .args(["--ops", &self.ops])
            .output()
            .unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it printed, when all went well.
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout)
}

/// The one line that it complains with.
fn complaint(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let complaint = text(&output.stderr);
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    complaint
}

#[test]
fn explain_reset_and_check_ask_the_running_service_and_are_audited() {
    let service = Service::start("ask");
    let told = printed(&service.limits(&[
        "explain",
        "--on",
        "otp.send",
        "--ip",
        "203.0.113.7",
        "--phone",
        "+14152000001",
    ]));
    let row = told.lines().find(|line| line.starts_with("send-hour")).unwrap();
    let cells: Vec<_> = row
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    assert_eq!(
        cells,
        [
            "send-hour",
            "phone",
            "cluster",
            "enforce",
            "5 in 1h",
            "5 of 5",
            "now",
            "passes"
        ]
    );
    assert!(
        told.contains("otp-resend-cooldown") && told.ends_with("The request would pass.\n"),
        "{told}"
    );

    let login = [
        "explain",
        "--on",
        "login",
        "--ip",
        "203.0.113.7",
        "--user",
        "jane@example.com",
    ];
    assert!(printed(&service.limits(&login)).contains("login-guess"));
    let reset = printed(&service.limits(&["reset", "--rule", "send-hour", "--key", "+14152000001"]));
    assert_eq!(reset, "send-hour: the quota is whole again, in all instances.\n");
    for (rule, key) in [
        ("otp-resend-cooldown", "jane@example.com"),
        ("otp-max-failures", "+14152000001"),
    ] {
        let reset = printed(&service.limits(&["reset", "--rule", rule, "--key", key]));
        assert_eq!(
            reset,
            format!("{rule}: the quota is whole again, in all instances.\n")
        );
    }
    let near = &[
        "reset",
        "--rule",
        "login-guess",
        "--key",
        "203.0.113.7,jane@example.com",
        "--ops",
        "http://127.0.0.1:1",
    ];
    let partly = service.limits(near);
    assert_eq!(partly.status.code(), Some(1), "one of the two is away");
    let done = format!(
        "login-guess: the quota is whole again in the instance at {}, and in no other.\n",
        service.ops
    );
    assert_eq!(text(&partly.stdout), done);
    assert!(text(&partly.stderr).contains("http://127.0.0.1:1:"), "{partly:?}");
    printed(&service.limits(&[
        "reset",
        "--rule",
        "login-guess",
        "--key",
        "203.0.113.7,jane@example.com",
    ]));

    let next = service.folder.join("next.toml");
    std::fs::write(
        &next,
        LIMITS
            .replace("quota = 5", "quota = 4")
            .replace("\"shadow\"", "\"enforce\""),
    )
    .unwrap();
    let told = printed(&service.limits(&["check", next.to_str().unwrap()]));
    assert!(told.starts_with("The limits are sound: 2 rules.\n"), "{told}");
    assert!(
        told.contains("~ send-hour: quota 5 -> 4, burst 5 -> 4\n"),
        "{told}"
    );
    assert!(told.contains("~ login-guess: mode shadow -> enforce\n"), "{told}");
    let same = service.folder.join("limits.toml");
    assert!(printed(&service.limits(&["check", same.to_str().unwrap()])).contains("the same as"));
    std::fs::rename(&next, &same).unwrap();

    for (line, parts) in [
        (
            service.logged("\"limits.action\":\"explain\""),
            ["limits.audit", "otp.send"],
        ),
        (
            service.logged("\"limits.action\":\"reset\""),
            ["limits.audit", "send-hour"],
        ),
        (
            service.logged("mode shadow -> enforce"),
            ["limits.audit", "\"limits.action\":\"reload\""],
        ),
    ] {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let log = service.log.lock().unwrap().join("\n");
    assert!(!log.contains("4152000001") && !log.contains("jane"), "{log}");
}

#[test]
fn what_is_typed_wrong_is_told_in_one_line() {
    let service = Service::start("wrong");
    for (arguments, about) in [
        (
            &["explain", "--on", "otp.send", "--ip", "203.0.113.300"][..],
            "not an IP address",
        ),
        (
            &["explain", "--on", "otp.sned", "--ip", "203.0.113.7"],
            "no such operation",
        ),
        (
            &[
                "explain",
                "--on",
                "otp.send",
                "--ip",
                "203.0.113.7",
                "--phone",
                "4152000001",
            ],
            "international form",
        ),
        (
            &["explain", "--on", "me", "--ip", "203.0.113.7", "--user", "jane"],
            "user's id",
        ),
        (
            &["reset", "--rule", "no-such", "--key", "203.0.113.7"],
            "no active rule",
        ),
        (
            &["reset", "--rule", "otp-resend-cooldown", "--key", "203.0.113.7"],
            "not a phone number",
        ),
        (
            &[
                "reset",
                "--rule",
                "otp-max-failures",
                "--key",
                "+14152000001,jane@example.com",
            ],
            "not a user's id",
        ),
        (
            &[
                "reset",
                "--rule",
                "login-guess",
                "--key",
                "jane@example.com,203.0.113.7",
            ],
            "counts by ip+user: name them in this order",
        ),
        (
            &["reset", "--rule", "send-hour", "--key", "203.0.113.7"],
            "not a phone number",
        ),
    ] {
        let complaint = complaint(&service.limits(arguments), 2);
        assert!(complaint.contains(about), "{complaint}");
    }
    let arguments = [
        "limits",
        "explain",
        "--on",
        "otp.send",
        "--ip",
        "x",
        "--ops",
        "http://127.0.0.1:1",
    ];
    complaint(&ringback(&arguments).output().unwrap(), 2);
    let arguments = [
        "limits",
        "explain",
        "--on",
        "otp.send",
        "--ip",
        "::1",
        "--ops",
        "http://127.0.0.1:1",
    ];
    let away = complaint(&ringback(&arguments).output().unwrap(), 1);
    assert!(
        away.contains("no service answers at http://127.0.0.1:1"),
        "{away}"
    );
}

#[test]
fn a_file_is_checked_without_a_service_too() {
    let folder = std::env::temp_dir().join(format!("ringback-cli-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("limits.toml");
    let check = |name: &std::path::Path| {
        let arguments = [
            "limits",
            "check",
            name.to_str().unwrap(),
            "--ops",
            "http://127.0.0.1:1",
        ];
        ringback(&arguments)
            .env("RINGBACK_CONFIG_DIR", &folder)
            .output()
            .unwrap()
    };
    std::fs::write(&file, LIMITS).unwrap();
    let told = printed(&check(&file));
    assert!(
        told.contains("the same as") && told.contains("since no service answers"),
        "{told}"
    );
    let faulty = folder.join("faulty.toml");
    std::fs::write(
        &faulty,
        LIMITS
            .replace("quota = 5", "quota = 0")
            .replace("\"login\"", "\"token.refresh\""),
    )
    .unwrap();
    // In another currency than the prices of the configuration are.
    let foreign = folder.join("foreign.toml");
    let money = "[[rule]]\nid = 'cost'\non = 'otp.send'\nby = 'country'\nquota = '3 EUR'\nper = '1h'\ncounts = 'money'\n";
    std::fs::write(&foreign, format!("{LIMITS}\n{money}")).unwrap();
    let told = complaint(&check(&foreign), 78);
    assert!(told.contains("counts EUR, and the prices are in USD"), "{told}");
    let own = folder.join("own.toml");
    for id in ["otp-resend-cooldown", "otp-max-failures", "paused"] {
        std::fs::write(&own, LIMITS.replace("send-hour", id)).unwrap();
        let told = complaint(&check(&own), 78);
        assert!(told.contains(id) && told.contains("take another one"), "{told}");
    }
    let output = check(&faulty);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let complaints = text(&output.stderr);
    assert_eq!(complaints.lines().count(), 2, "{complaints}");
    assert!(
        complaints.contains("faulty.toml:6:9: quota") && complaints.contains("can never apply"),
        "{complaints}"
    );
    assert!(complaint(&check(&folder.join("gone.toml")), 78).contains("No such file"));
    std::fs::remove_dir_all(&folder).unwrap();
}
