//! Faults by number and by chance, from a file and while it runs.

use std::io::Write;

use serde_json::{Value, json};

use support::simulator::Simulator;

const FORM: [(&str, &str); 2] = [("From", "+15005550006"), ("Body", "x")];

/// How a call to this number ends: the answer's status, or none.
async fn sent(sim: &Simulator, to: &str) -> Option<u16> {
    let form = [&[("To", to)], &FORM[..]].concat();
    sim.send(&form).await.ok().map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn a_message_may_be_taken_though_its_answer_is_lost() {
    let sim = Simulator::start(&[]);
    for (what, answered) in [
        ("cut", None),
        ("reset", None),
        ("hang", None),
        ("error", Some(503)),
        ("garbage", Some(503)),
    ] {
        for taken in [false, true] {
            let fault = json!({ "what": what, "taken": taken, "over": "1ms", "status": 503 });
            assert_eq!(sim.faults(&json!({ "fault": [fault] })).await, 204);
            let before = sim.taken().await.len();
            assert_eq!(sent(&sim, "+14152000001").await, answered, "{what}");
            let now = sim.taken().await.len();
            assert_eq!(now - before, usize::from(taken), "{what}, taken: {taken}");
        }
    }
    let stats = sim.stats().await;
    assert_eq!((&stats["calls"], &stats["accepted"]), (&json!(10), &json!(5)));
    assert_eq!(stats["by_outcome"]["reset, taken"], 1);
}

#[tokio::test]
async fn faults_are_for_numbers_and_for_look_ups() {
    let sim = Simulator::start(&[]);
    let profile = json!({ "fault": [
        { "what": "error", "to": ["+1999*"], "status": 400, "code": 21211 },
        { "what": "error", "on": "lookup", "status": 500, "code": 20500 },
        { "what": "error", "to": ["+14152000001"], "status": 429, "code": 20429, "retry_after": "1500ms" },
    ] });
    sim.faults(&profile).await;
    assert_eq!(sent(&sim, "+19992000001").await, Some(400));
    assert_eq!(sent(&sim, "+14152000002").await, Some(201));
    let form = [&[("To", "+14152000001")], &FORM[..]].concat();
    let limited = sim.send(&form).await.unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    assert_eq!(sim.look_up(&[]).await["code"], 20500);
    let shown: Value = sim.ask("/faults").await.json().await.unwrap();
    assert_eq!(shown["fault"][2]["retry_after"], "1500ms");
}

#[tokio::test]
async fn chance_is_the_same_with_the_same_seed() {
    let luck = async |seed: &str| {
        let sim = Simulator::start(&["--seed", seed]);
        let profile = json!({ "fault": [{ "what": "error", "status": 500, "rate": 0.5 }] });
        sim.faults(&profile).await;
        let mut luck = Vec::new();
        for number in 0..40 {
            luck.push(sent(&sim, &format!("+1415200{number:04}")).await);
        }
        luck
    };
    let one = luck("1").await;
    assert_eq!(one, luck("1").await);
    assert_ne!(one, luck("2").await);
    assert!(one.contains(&Some(201)) && one.contains(&Some(500)));
}

#[tokio::test]
async fn a_profile_is_a_file_or_chaos_and_can_be_changed() {
    let mut file = std::env::temp_dir();
    file.push(format!("twilio-sim-{}.toml", std::process::id()));
    let text = "delay = '1ms'\n[[fault]]\nwhat = 'error'\nstatus = 418\n";
    std::fs::File::create(&file)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let sim = Simulator::start(&["--profile", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(sent(&sim, "+14152000001").await, Some(418));
    let shown = async || sim.ask("/faults").await.json::<Value>().await.unwrap();
    let change = async |name: &str| {
        let url = format!("{}/faults?profile={name}", sim.url);
        sim.client.post(url).send().await.unwrap().status().as_u16()
    };
    assert_eq!(change("chaos").await, 204);
    let chaos = shown().await;
    assert!(chaos["fault"].as_array().unwrap().len() > 10);
    assert_eq!(change("dance").await, 400);
    assert_eq!(sim.faults(&json!({ "fault": [{ "what": "dance" }] })).await, 400);
    assert_eq!(shown().await, chaos, "a faulty profile changes nothing");
    assert_eq!(change("none").await, 204);
    assert_eq!(sent(&sim, "+14152000001").await, Some(201));

    let chaotic = Simulator::start(&["--profile", "chaos"]);
    assert_eq!(chaotic.ask("/faults").await.json::<Value>().await.unwrap(), chaos);
}
