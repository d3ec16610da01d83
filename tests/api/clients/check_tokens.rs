//! The examples of `docs/tokens.md`: each takes a token of the service, and refuses what only comes close.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use jsonwebtoken::jwk::JwkSet;

use super::{Folder, check_token, run};
use crate::{
    support::{Account, Backends, TestApp, node_modules, python},
    tokens::forgeries,
};

const ISSUER: &str = "https://id.example.com";

/// What an example is run with: it says for each text of a file whether it is a good token, and of whom.
const NODE: &str = r#"
import { readFileSync } from "node:fs";
for (const token of JSON.parse(readFileSync("tokens.json", "utf8"))) {
  console.log(await check(token).then((claims) => claims.sub, () => "refused"));
}
"#;
const PYTHON: &str = r#"
import json

for token in json.load(open("tokens.json")):
    try:
        print(check(token)["sub"])
    except jwt.PyJWTError:
        print("refused")
"#;
const GO: &str = r#"package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	text, _ := os.ReadFile("tokens.json")
	var tokens []string
	if err := json.Unmarshal(text, &tokens); err != nil {
		panic(err)
	}
	for _, token := range tokens {
		if claims, err := Check(token); err == nil {
			fmt.Println(claims.Subject)
		} else {
			fmt.Println("refused")
		}
	}
}
"#;

/// An example of the page, which asks this service for the keys.
fn example(language: &str, app: &TestApp) -> String {
    let page = include_str!("../../../docs/tokens.md");
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let keys = "/.well-known/jwks.json";
    let here = example.replace(&format!("{ISSUER}{keys}"), &format!("{}{keys}", app.address));
    assert_ne!(here, example);
    here
}

/// A service with the issuer of the page, a good token of it, and texts that are none.
async fn tokens() -> (TestApp, Account, Vec<(&'static str, String)>) {
    let app = TestApp::start_with(Backends::Embedded, &[("RINGBACK__SERVER__PUBLIC_URL", ISSUER)]).await;
    let account = app.register("+14152000001").await;
    let mut others = forgeries(&app, &account).await;
    // It is right here. And who knows one key need not be told which.
    others.retain(|(name, _)| {
        !["another issuer", "no key named", "from the future", "no session"].contains(name)
    });
    let elsewhere = app
        .sibling_with(&[("RINGBACK__SERVER__PUBLIC_URL", "https://other.example.com")])
        .await;
    others.push(("another issuer", elsewhere.log_in(&account).await.0));
    let past = app.sibling_with(&[("RINGBACK__TOKENS__ACCESS_TTL", "1s")]).await;
    past.pass(-5);
    others.push(("a token whose time is over", past.log_in(&account).await.0));
    (app, account, others)
}

/// Runs a program in the folder, and holds what it says of each text.
async fn judge(app: &TestApp, account: &Account, others: &[(&str, String)], folder: &Path, command: Command) {
    let good = app.log_in(account).await.0;
    let texts: Vec<_> = [&good]
        .into_iter()
        .chain(others.iter().map(|(_, text)| text))
        .collect();
    fs::write(folder.join("tokens.json"), serde_json::to_string(&texts).unwrap()).unwrap();
    let said = run(folder, command).await;
    let mut said = said.lines();
    assert_eq!(said.next(), Some(&*account.id), "a good token");
    for (name, _) in others {
        assert_eq!(said.next(), Some("refused"), "{name}");
    }
}

#[actix_web::test]
async fn the_example_for_node_takes_tokens_and_nothing_else() {
    let (app, account, others) = tokens().await;
    let folder = Folder::new("check-node");
    fs::write(folder.0.join("check.mjs"), example("js", &app) + NODE).unwrap();
    symlink(node_modules(), folder.0.join("node_modules")).unwrap();
    let mut command = Command::new("node");
    command.arg("check.mjs");
    judge(&app, &account, &others, &folder.0, command).await;
}

#[actix_web::test]
async fn the_example_for_python_takes_tokens_and_nothing_else() {
    let (app, account, others) = tokens().await;
    let folder = Folder::new("check-python");
    fs::write(folder.0.join("check.py"), example("python", &app) + PYTHON).unwrap();
    let mut command = python();
    command.arg("check.py");
    judge(&app, &account, &others, &folder.0, command).await;
}

/// Where there is Go: no other test needs it.
#[actix_web::test]
async fn the_example_for_go_takes_tokens_and_nothing_else() {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("there is no Go here: its example is not run");
        return;
    }
    let (app, account, others) = tokens().await;
    let folder = Folder::new("check-go");
    fs::write(folder.0.join("check.go"), example("go", &app)).unwrap();
    fs::write(folder.0.join("main.go"), GO).unwrap();
    let mut command = Command::new("go");
    command.args(["run", "check.go", "main.go"]);
    judge(&app, &account, &others, &folder.0, command).await;
}

#[actix_web::test]
async fn the_example_for_rust_takes_tokens_and_nothing_else() {
    let (app, account, others) = tokens().await;
    let page = include_str!("../../../docs/tokens.md");
    let (_, tested) = include_str!("check_token.rs").split_once("\n\n").unwrap();
    let tested = format!("```rust\n{tested}```");
    assert!(page.contains(&tested), "the page shows what is tested");
    let keys: JwkSet = serde_json::from_str(&app.get("/.well-known/jwks.json").await.raw).unwrap();
    let claims = check_token::check(&account.access, &keys).unwrap();
    assert_eq!(
        (claims.sub, claims.amr),
        (account.id.clone(), vec!["pwd".to_owned()])
    );
    assert!(!claims.phone_verified && !claims.email_verified && claims.auth_time > 0);
    assert!(!claims.sid.is_empty());
    for (name, other) in &others {
        assert!(check_token::check(other, &keys).is_none(), "{name}");
    }
}
