//! kill -9 at random moments under load.

use tokio::time::sleep;

use crate::{audit::audit, fleet::Fleet, load::Load, luck::Luck, setting};

async fn survives(kills: u64, lease: &str) {
    let rate = setting("RINGBACK_CHAOS_RATE", 25);
    // More than a load of this rate gets through.
    let users = kills * rate * 5 + 1000;
    let changed = [
        ("RINGBACK__DELIVERY__LEASE", lease),
        // Resends are part of the load.
        ("RINGBACK__OTP__RESEND_COOLDOWN", "0s"),
        ("RINGBACK__SERVER__WORKERS", "1"),
    ];
    let mut fleet = Fleet::start(2, users, &changed).await;
    // Long enough that calls are under way when a kill comes.
    let profile = serde_json::json!({ "delay": { "from": "5ms", "to": "60ms" } });
    assert_eq!(fleet.simulator.faults(&profile).await, 204);
    let mut luck = Luck::new();
    let mut load = Load::start(
        fleet.addresses.clone(),
        users,
        rate,
        Luck::from(luck.below(u64::MAX)),
    );
    for kill in 0..kills {
        sleep(luck.millis(200, 1500)).await;
        let mut victim = luck.below(2) as usize;
        if kill % 2 == 0 {
            // Right after a promise, when nothing but the outbox knows of it.
            load.promised.mark_unchanged();
            load.promised.changed().await.unwrap();
            let promised = fleet.at(&load.promised.borrow_and_update());
            victim = promised.unwrap_or(victim);
            // The call begins five milliseconds after the answer: some of these come before it, some in it.
            sleep(luck.millis(0, 8)).await;
        }
        if !fleet.runs(victim) {
            victim = 1 - victim;
        }
        fleet.kill(victim);
        // Now and then both are gone at once.
        if luck.below(4) > 0 || !fleet.runs(1 - victim) {
            sleep(luck.millis(0, 300)).await;
            fleet.launch(victim).await;
            fleet.launch(1 - victim).await;
        }
    }
    for index in 0..2 {
        fleet.launch(index).await;
    }
    let log = load.end().await;
    let report = audit(&fleet, &log).await;
    println!("kills           {kills}, lease {lease}\n{report}");
    assert_eq!(report.lost, [] as [String; 0], "{report}");
    assert!(report.owed as u64 > 5 * kills, "too little was asked: {report}");
    assert!(report.duplicates as u64 <= kills, "{report}");
    assert!(
        report.came_after.is_some() && report.empty_after.is_some(),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_accepted_sms_is_lost_to_a_kill() {
    survives(10, "3s").await;
}

/// `scripts/chaos kills`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `scripts/chaos` runs it"]
async fn no_accepted_sms_is_lost_to_a_hundred_kills() {
    let lease: String = setting("RINGBACK_CHAOS_LEASE", "25s".to_owned());
    survives(setting("RINGBACK_CHAOS_KILLS", 100), &lease).await;
}
