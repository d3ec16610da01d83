//! A provider that fails one call in five, in every way.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::{audit::audit, fleet::Fleet, load::Load, luck::Luck, setting};

async fn survives(time: Duration, lease: &str) {
    let rate = setting("RINGBACK_CHAOS_RATE", 25);
    let users = time.as_secs() * rate + 1000;
    let changed = [
        ("RINGBACK__DELIVERY__LEASE", lease),
        ("RINGBACK__OTP__RESEND_COOLDOWN", "0s"),
        ("RINGBACK__SERVER__WORKERS", "1"),
        ("RINGBACK__TWILIO__TIMEOUT", "1s"),
    ];
    let fleet = Fleet::start(2, users, &changed).await;
    let profile = json!({
        "delay": { "mean": "30ms", "most": "400ms" },
        "fault": [
            { "what": "error", "status": 429, "code": 20429, "retry_after": "1s", "rate": 0.04 },
            { "what": "error", "status": 500, "code": 20500, "rate": 0.04 },
            { "what": "error", "status": 503, "rate": 0.02 },
            { "what": "garbage", "rate": 0.01 },
            { "what": "cut", "rate": 0.02 },
            { "what": "cut", "taken": true, "rate": 0.02 },
            { "what": "reset", "rate": 0.01 },
            { "what": "reset", "taken": true, "rate": 0.01 },
            { "what": "hang", "over": "3s", "rate": 0.015 },
            { "what": "hang", "over": "3s", "taken": true, "rate": 0.015 },
        ],
    });
    assert_eq!(fleet.simulator.faults(&profile).await, 204);
    let load = Load::start(fleet.addresses.clone(), users, rate, Luck::new());
    sleep(time).await;
    let log = load.end().await;
    // The provider goes on failing while the rest is sent.
    let report = audit(&fleet, &log).await;
    println!("20 % faults     for {time:?}, lease {lease}\n{report}");
    assert_eq!(report.lost, [] as [String; 0], "{report}");
    // 5 % of all calls are taken without an answer: whoever asks before sending again sends next to none twice.
    assert!(report.duplicates * 100 <= report.owed, "{report}");
    assert!(report.came_after.is_some(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_accepted_sms_is_lost_to_a_failing_provider() {
    survives(Duration::from_secs(10), "3s").await;
}

/// `scripts/chaos faults`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `scripts/chaos` runs it"]
async fn no_accepted_sms_is_lost_to_minutes_of_faults() {
    let seconds = setting("RINGBACK_CHAOS_SECONDS", 180);
    let lease: String = setting("RINGBACK_CHAOS_LEASE", "25s".to_owned());
    survives(Duration::from_secs(seconds), &lease).await;
}
