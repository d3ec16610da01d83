//! The examples of `docs/events.md`: each takes a webhook as the service sends it, and refuses what only comes close.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::{Folder, run};
use crate::{
    event_webhooks::{hook, start, taken},
    support::{Backends, Receiver, Webhook, python},
};

/// What an example is run with: it says for each call of a file what is taken of it.
const NODE: &str = r#"
import { readFileSync } from "node:fs";
for (const { secret, headers, body } of JSON.parse(readFileSync("calls.json", "utf8"))) {
  try {
    console.log(verify(secret, headers, Buffer.from(body)).type);
  } catch {
    console.log("refused");
  }
}
"#;
const PYTHON: &str = r#"
for call in json.load(open("calls.json")):
    try:
        print(verify(call["secret"], call["headers"], call["body"].encode())["type"])
    except ValueError:
        print("refused")
"#;

fn example(language: &str) -> String {
    let page = include_str!("../../../docs/events.md");
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    example.to_owned()
}

fn call(webhook: &Webhook) -> Value {
    json!({
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "headers": {
            "webhook-id": webhook.id,
            "webhook-timestamp": webhook.timestamp,
            "webhook-signature": webhook.signature,
        },
        "body": webhook.text,
    })
}

/// One webhook of the service, and what only comes close to it.
async fn calls() -> Vec<Value> {
    let receiver = Receiver::start().await;
    let app = start(Backends::Embedded, &[hook("crm", &receiver, r#""account.*""#)]).await;
    app.register("+14152000001").await;
    let taken = taken(&receiver, 1).await;
    let good = call(&taken[0]);
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let old: i64 = taken[0].timestamp.parse().unwrap();
    let signature = &taken[0].signature;
    vec![
        good.clone(),
        with(
            "/headers/webhook-signature",
            json!(format!("v1,AAAA {signature}")),
        ),
        with("/secret", json!("whsec_NfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        with("/headers/webhook-id", json!("another")),
        with("/headers/webhook-timestamp", json!((old - 1).to_string())),
        with("/headers/webhook-timestamp", json!("soon")),
        with("/headers/webhook-timestamp", json!("9".repeat(400))),
        with("/headers/webhook-timestamp", Value::Null),
        with("/headers/webhook-id", Value::Null),
        with("/headers/webhook-signature", Value::Null),
        with("/headers", json!({})),
        with("/headers/webhook-signature", json!("v1,")),
        with(
            "/headers/webhook-signature",
            json!(signature.replace("v1,", "v2,")),
        ),
        with("/body", json!(format!("{} ", taken[0].text))),
        late(&good, old - 400),
    ]
}

/// The same as it was made so long ago, rightly signed: somebody has recorded it.
fn late(good: &Value, at: i64) -> Value {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use pbkdf2::hmac::{Hmac, KeyInit, Mac};
    let key = BASE64_STANDARD
        .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    let (id, body) = (
        good["headers"]["webhook-id"].as_str().unwrap(),
        good["body"].as_str().unwrap(),
    );
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let mut late = good.clone();
    late["headers"]["webhook-timestamp"] = json!(at.to_string());
    late["headers"]["webhook-signature"] = json!(format!(
        "v1,{}",
        BASE64_STANDARD.encode(mac.finalize().into_bytes())
    ));
    late
}

async fn judge(folder: &Path, command: Command) {
    let calls = calls().await;
    fs::write(folder.join("calls.json"), Value::from(calls.clone()).to_string()).unwrap();
    let said = run(folder, command).await;
    let said: Vec<_> = said.lines().collect();
    assert_eq!(said[..2], ["account.registered"; 2]);
    assert_eq!(said[2..], vec!["refused"; calls.len() - 2]);
}

#[actix_web::test]
async fn the_example_for_node_takes_webhooks_and_nothing_else() {
    let folder = Folder::new("webhook-node");
    fs::write(folder.0.join("check.mjs"), example("js") + NODE).unwrap();
    let mut command = Command::new("node");
    command.arg("check.mjs");
    judge(&folder.0, command).await;
}

#[actix_web::test]
async fn the_example_for_python_takes_webhooks_and_nothing_else() {
    let folder = Folder::new("webhook-python");
    fs::write(folder.0.join("check.py"), example("python") + PYTHON).unwrap();
    let mut command = python();
    command.arg("check.py");
    judge(&folder.0, command).await;
}
