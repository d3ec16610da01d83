//! kill -9 at random moments while events go out to a webhook: each comes at least once, those of an account in their order.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use support::{Receiver, Webhook};
use tokio::time::{Instant, sleep};

use crate::{
    fleet::{Addresses, Fleet},
    luck::Luck,
    setting,
};

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAA";
/// Accounts that events are about; those of one wait for each other, so there have to be many.
const ACCOUNTS: u64 = 1500;
/// Users who change their names by the API, one request after another.
const WRITERS: u64 = 6;
/// Events that are written past the service, in a second.
const RATE: u64 = 60;
/// A lease is over in a minute; then all that waits goes out.
const PATIENCE: Duration = Duration::from_secs(400);

/// A receiver on a thread of its own, as it needs a runtime of one.
fn receiver() -> Receiver {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            tell.send(Receiver::start().await).unwrap();
            std::future::pending::<()>().await;
        });
    });
    told.recv().unwrap()
}

async fn connect(fleet: &Fleet) -> PgConnection {
    PgConnection::connect(&fleet.database).await.unwrap()
}

/// Changes of names by the API, over and over; counts those that were answered 200.
async fn write_names(number: u64, addresses: Addresses, promised: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let any = || addresses.lock().unwrap().iter().flatten().next().cloned();
    let email = format!("writer{number}@example.com");
    let body = json!({
        "email": email, "phone": format!("+14153{number:06}"), "first_name": "Mara", "last_name": "Lind",
        "password": "quiet-otter-47", "password_confirm": "quiet-otter-47",
    });
    let made = client
        .post(format!("{}/api/users/register/", any().unwrap()))
        .json(&body)
        .send()
        .await
        .unwrap();
    let made: Value = made.json().await.unwrap();
    let token = made["tokens"]["access"].as_str().unwrap().to_owned();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(Duration::from_millis(150)).await;
        let Some(address) = any() else { continue };
        let name = format!("Mara{}", "abcdefghij".chars().nth(n % 10).unwrap());
        let change = client
            .patch(format!("{address}/api/users/me/"))
            .bearer_auth(&token);
        let answer = change.json(&json!({ "first_name": name })).send().await;
        if answer.is_ok_and(|answer| answer.status() == 200) {
            promised.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Events about random accounts, one statement each.
async fn write_events(mut connection: PgConnection, stop: Arc<AtomicBool>) {
    let mut every = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    while !stop.load(Ordering::Relaxed) {
        every.tick().await;
        let insert = "INSERT INTO events (id, at, kind, actor, user_id) SELECT gen_random_uuid(), now(), 'account.updated', 'user', id \
                      FROM users WHERE password_hash = '-' OFFSET floor(random() * 1400) LIMIT 1";
        connection.execute(insert).await.unwrap();
    }
}

/// The events that have to come: id and account, in their order.
async fn written(connection: &mut PgConnection) -> Vec<(String, Option<String>)> {
    let rows = connection
        .fetch_all("SELECT id::text, user_id::text FROM events ORDER BY seq")
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn survives(kills: u64) {
    let receiver = receiver();
    let hook = format!(
        r#"[{{ name = "crm", url = "{}", secret = "{SECRET}", allow_plaintext = true }}]"#,
        receiver.url
    );
    let changed = [
        ("RINGBACK__EVENTS__WEBHOOK", &*hook),
        ("RINGBACK__SERVER__WORKERS", "1"),
    ];
    let mut fleet = Fleet::start(2, ACCOUNTS, &changed).await;
    let mut connection = connect(&fleet).await;
    let begun = "SELECT count(*) FROM event_webhooks";
    while sqlx::query_scalar::<_, i64>(begun)
        .fetch_one(&mut connection)
        .await
        .unwrap()
        == 0
    {
        sleep(Duration::from_millis(100)).await;
    }
    // Long enough that calls are under way when a kill comes.
    receiver.delay(Duration::from_millis(30));
    let (stop, promised) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let mut writers = vec![tokio::spawn(write_events(
        connect(&fleet).await,
        Arc::clone(&stop),
    ))];
    for number in 0..WRITERS {
        let (addresses, promised, stop) = (fleet.addresses.clone(), Arc::clone(&promised), Arc::clone(&stop));
        writers.push(tokio::spawn(write_names(number, addresses, promised, stop)));
    }
    sleep(Duration::from_secs(2)).await;
    let (mut luck, began) = (Luck::new(), Instant::now());
    for _ in 0..kills {
        sleep(luck.millis(100, 900)).await;
        let mut victim = luck.below(2) as usize;
        if !fleet.runs(victim) {
            victim = 1 - victim;
        }
        fleet.kill(victim);
        // Now and then both are gone at once.
        if luck.below(4) > 0 || !fleet.runs(1 - victim) {
            fleet.launch(victim).await;
            fleet.launch(1 - victim).await;
        }
    }
    let killed_for = began.elapsed();
    for index in 0..2 {
        fleet.launch(index).await;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let (written, ended) = (written(&mut connection).await, Instant::now());
    let lost = loop {
        let came: BTreeSet<_> = receiver.taken().into_iter().map(|webhook| webhook.id).collect();
        let lost: Vec<_> = written.iter().filter(|(id, _)| !came.contains(id)).collect();
        if lost.is_empty() || ended.elapsed() > PATIENCE {
            println!("{lost:?}");
            break lost.len();
        }
        sleep(Duration::from_millis(500)).await;
    };
    let (all, promised) = (receiver.taken(), promised.load(Ordering::Relaxed));
    println!(
        "kills           {kills}, within {killed_for:.0?}\nevents          {}, of them {promised} answered 200 by the API\n\
         came            {}, {} of them more than once\nlost            {lost}\nthe last came   {:.0?} after the last kill",
        written.len(),
        all.len(),
        all.len() - (written.len() - lost),
        ended.elapsed(),
    );
    assert_eq!(lost, 0);
    assert!(written.len() as u64 > 20 * kills.min(50), "too little happened");
    assert_in_order(&all, &written);
    let renamed = "SELECT count(*) FROM events e JOIN users u ON u.id = e.user_id WHERE kind = 'account.updated' AND password_hash <> '-'";
    let renamed: i64 = sqlx::query_scalar(AssertSqlSafe(renamed))
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(
        promised > 0 && renamed as u64 >= promised,
        "{renamed} events of {promised} changes"
    );
}

/// Those of an account came in the order in which they happened, when they came first.
fn assert_in_order(all: &[Webhook], written: &[(String, Option<String>)]) {
    let mut first = HashMap::new();
    for (at, webhook) in all.iter().enumerate() {
        first.entry(webhook.id.as_str()).or_insert(at);
    }
    let mut of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (id, user) in written {
        if let Some(user) = user {
            of.entry(user).or_default().push(first[id.as_str()]);
        }
    }
    for (user, places) in of {
        assert!(places.is_sorted(), "{user}: {places:?}");
    }
}

/// `scripts/chaos events`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `scripts/chaos` runs it"]
async fn no_event_is_lost_to_a_hundred_kills() {
    survives(setting("RINGBACK_CHAOS_KILLS", 100)).await;
}
