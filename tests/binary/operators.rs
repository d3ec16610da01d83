//! What operators lean on: who sees the inbox and the ops port, the drain, the health check, files and their bounds.

use std::{os::unix::fs::PermissionsExt, process::Command, time::Duration};

use support::{
    Answer,
    service::{FREE_PORTS, Folder, Service},
};

const TOKEN: &str = "an-ops-token-of-the-tests";

/// The address of the ops port, as the start says it.
fn ops_of(service: &mut Service) -> String {
    service.wait_for("an ops port", |said| {
        let rest = said.split_once("  Metrics  ")?.1;
        Some(rest.split_once("/metrics")?.0.to_owned())
    })
}

async fn asked(service: &Service, url: String, headers: &[(&str, &str)]) -> Answer {
    let request = service.client.get(url);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::of(request).await
}

#[actix_web::test]
async fn the_inbox_is_for_this_machine_alone_unless_it_is_opened() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    let port = service.address.rsplit_once(':').unwrap().1.to_owned();
    let opened = Service::start(&Folder::new(), &[("RINGBACK__INBOX__ALLOW_REMOTE", "true")]);
    for path in ["/dev/inbox/", "/dev/inbox.json"] {
        for host in [&format!("localhost:{port}"), "127.0.0.1", "[::1]:8000"] {
            let answer = asked(&service, format!("{}{path}", service.address), &[("host", host)]).await;
            assert_eq!(answer.status, 200, "{host}");
        }
        for headers in [
            ("host", "rebound.example.com"),
            ("host", "localhost.example.com"),
            ("host", "192.0.2.1:8000"),
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
        ] {
            let answer = asked(&service, format!("{}{path}", service.address), &[headers]).await;
            answer.is(404, "not_found");
            let answer = asked(&opened, format!("{}{path}", opened.address), &[headers]).await;
            assert_eq!(answer.status, 200, "{headers:?}");
        }
    }
}

#[actix_web::test]
async fn the_ops_port_answers_to_its_own_names_and_wants_its_token() {
    let mut plain = Service::start(&Folder::new(), &[]);
    let ops = ops_of(&mut plain);
    for path in ["/metrics", "/limits"] {
        assert_eq!(
            asked(&plain, format!("{ops}{path}"), &[]).await.status,
            200,
            "{path}"
        );
        let strange = asked(&plain, format!("{ops}{path}"), &[("host", "rebound.example.com")]).await;
        strange.is(403, "forbidden");
    }
    let folder = Folder::new();
    let variables = [
        ("RINGBACK__SERVER__BIND", "127.0.0.1:0"),
        ("RINGBACK__SERVER__OPS_BIND", "0.0.0.0:0"),
        ("RINGBACK__SERVER__OPS_TOKEN", TOKEN),
    ];
    let mut guarded = Service::spawn(folder.command(&["serve"], &variables));
    let ops = ops_of(&mut guarded).replace("0.0.0.0", "127.0.0.1");
    // Whoever scrapes it does so by a name, and has no token.
    let scraped = asked(
        &guarded,
        format!("{ops}/metrics"),
        &[("host", "ringback.internal:8001")],
    )
    .await;
    assert_eq!(scraped.status, 200);
    let right = format!("Bearer {TOKEN}");
    for path in ["/limits", "/limits/"] {
        for header in [
            "",
            "Bearer",
            "Bearer an-ops-token-of-the-test",
            "Basic an-ops-token-of-the-tests",
        ] {
            let answer = asked(&guarded, format!("{ops}{path}"), &[("authorization", header)]).await;
            answer.is(401, "not_authenticated");
        }
        let answer = asked(&guarded, format!("{ops}{path}"), &[("authorization", &right)]).await;
        assert_eq!(answer.status, 200);
    }
    // The command line takes it from the configuration.
    let reset = [
        "limits",
        "reset",
        "--rule",
        "login-per-ip",
        "--key",
        "192.0.2.1",
        "--ops",
        &ops,
    ];
    let (_, _, err) = folder.run(&reset, &[]);
    assert!(err.contains("server.ops_token"), "{err}");
    let (_, _, err) = folder.run(&reset, &variables);
    assert!(!err.contains("server.ops_token"), "{err}");
    folder.write("next.toml", "");
    let check = ["limits", "check", "next.toml", "--ops", &ops];
    let (code, out, err) = folder.run(&check, &[]);
    assert!(code == 0 && err.contains("server.ops_token"), "{code} {err}");
    assert!(
        !out.contains("no service answers") && out.contains("since the service doesn't give its own"),
        "{out}"
    );
    let (_, out, err) = folder.run(&check, &variables);
    assert!(
        out.contains("the rules in force at") && err.is_empty(),
        "{out}{err}"
    );
}

#[actix_web::test]
async fn the_end_is_told_before_it_comes() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[("RINGBACK__SERVER__DRAIN_DELAY", "3s")]);
    assert_eq!(service.get("/readyz").await.status, 200);
    service.signal("TERM");
    let mut drained = false;
    for _ in 0..200 {
        drained = service.get("/readyz").await.status == 503;
        if drained {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(drained, "{}", service.said());
    // What comes meanwhile is served, on new connections too.
    let fresh = reqwest::Client::new().get(format!("{}/healthz", service.address));
    assert_eq!(Answer::of(fresh).await.status, 200);
    let (code, _, said) = service.end();
    assert_eq!(code, 0, "{said}");
}

#[actix_web::test]
async fn a_health_check_asks_the_service_of_this_machine() {
    let folder = Folder::new();
    let service = Service::start(&folder, &[]);
    let bind = service.address.trim_start_matches("http://").to_owned();
    let check = |bind: &str| folder.run(&["healthcheck"], &[("RINGBACK__SERVER__BIND", bind)]);
    assert_eq!(check(&bind), (0, "ready\n".to_owned(), String::new()));
    // Who listens everywhere is asked here.
    let port = bind.rsplit_once(':').unwrap().1;
    assert_eq!(check(&format!("0.0.0.0:{port}")).0, 0);
    service.signal("TERM");
    assert_eq!(service.end().0, 0);
    let (code, out, err) = check(&bind);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("no service answers"), "{err}");
}

#[actix_web::test]
async fn what_is_kept_is_for_its_user_alone() {
    let folder = Folder::new();
    let _service = Service::start(&folder, &[]);
    let mode = |name: &str| {
        let metadata = std::fs::metadata(folder.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("data"), 0o700);
    assert_eq!((mode("data/secret"), mode("data/ringback.db")), (0o600, 0o600));
}

#[actix_web::test]
async fn too_few_open_files_are_refused_in_a_line_and_a_soft_limit_is_raised() {
    let folder = Folder::new();
    let limited = |limits: &str, workers: &str| {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_ringback");
        command.args(["-c", &format!("{limits} && exec {program} serve")]);
        command.current_dir(folder.path()).env_clear().envs(FREE_PORTS);
        command.env("RINGBACK__SERVER__WORKERS", workers);
        Service::launch(command)
    };
    let (code, _, said) = limited("ulimit -n 128", "64").end();
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("open files are needed to start with 64 workers, and 128 are allowed"),
        "{said}"
    );
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    let mut raised = limited("ulimit -Sn 128 && ulimit -Hn 1024", "16");
    raised.wait_for("its address", |said| said.contains("  API      ").then_some(()));
}

#[actix_web::test]
async fn a_limits_file_that_comes_later_is_read_on_sighup() {
    let folder = Folder::new();
    let mut service = Service::start(&folder, &[]);
    let ops = ops_of(&mut service);
    let rules = async |service: &Service| asked(service, format!("{ops}/limits"), &[]).await.raw;
    assert!(!rules(&service).await.contains("a-late-rule"));
    folder.write(
        "config/limits.toml",
        "[[rule]]\nid = \"a-late-rule\"\non = \"me\"\nby = \"ip\"\nquota = 5\nper = \"1h\"\n",
    );
    service.signal("HUP");
    let mut came = false;
    for _ in 0..500 {
        came = rules(&service).await.contains("a-late-rule");
        if came {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(came, "{}", service.said());
}

#[test]
fn a_check_says_what_to_know_of_a_sound_configuration() {
    let folder = Folder::new();
    let check = |name: &str, value: &str| {
        let (code, out, err) = folder.run(&["config", "check"], &[(name, value)]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        out
    };
    let countries = |value: &str| check("RINGBACK__SMS__COUNTRIES_ALLOW", value);
    assert!(countries("US,CA").contains("US has AS, GU, MP, PR, VI."));
    assert!(countries("GB,FR").contains("GB has GG, GI, IM, JE; FR has BL, GF"));
    for whole in ["CA", "US,AS,GU,MP,PR,VI", "*"] {
        assert_eq!(countries(whole), "The configuration is sound.\n");
    }
    let proxies = check("RINGBACK__SERVER__TRUSTED_PROXIES", "0.0.0.0/1,128.0.0.0/1");
    assert!(
        proxies.contains("server.trusted_proxies has all addresses"),
        "{proxies}"
    );
    let ops = check("RINGBACK__SERVER__OPS_BIND", "[::]:8001");
    assert!(ops.contains("server.ops_bind listens on all addresses"), "{ops}");
    let ops = check("RINGBACK__SERVER__OPS_BIND", "10.0.0.1:8001");
    assert!(
        ops.contains("server.ops_bind is reached from other machines: whoever reaches it"),
        "{ops}"
    );
    folder.write("none.toml", "");
    let limits = check("RINGBACK__LIMITS__FILE", "none.toml");
    assert!(limits.contains("nothing is limited"), "{limits}");
}
