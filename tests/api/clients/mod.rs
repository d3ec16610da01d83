//! Clients: those that generators make of the OpenAPI document, and the one of this repository. They compile, and sign a
//! user up.

mod check_token;
mod check_tokens;
mod check_webhooks;
pub mod typescript;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Backends, TestApp, node_tool, python};

/// A folder that is gone when the test is.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder =
            Self(std::env::temp_dir().join(format!("ringback-clients-{name}-{}", std::process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    async fn with_document(app: &TestApp, name: &str) -> Self {
        let folder = Self::new(name);
        fs::write(folder.0.join("openapi.json"), app.get("/openapi.json").await.raw).unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program in the folder, on a thread of its own: the service goes on. Returns what it said.
pub async fn run(folder: &Path, mut command: Command) -> String {
    command.current_dir(folder);
    let shown = format!("{command:?}");
    let ran = actix_web::rt::task::spawn_blocking(move || command.output())
        .await
        .unwrap();
    let ran = ran.unwrap_or_else(|error| panic!("{shown}: {error}"));
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(ran.status.success(), "{shown}: {}\n{}", said[0], said[1]);
    let [output, _] = said;
    output
}

pub fn tool(name: &str, arguments: &[&str]) -> Command {
    let mut command = node_tool(name);
    command.args(arguments);
    command
}

#[actix_web::test]
async fn typescript_clients_compile_and_sign_a_user_up() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = Folder::with_document(&app, "typescript").await;
    let path = folder.0.as_path();
    fs::write(path.join("sign_up.ts"), include_str!("sign_up.ts")).unwrap();
    run(
        path,
        tool("openapi-typescript", &["openapi.json", "-o", "schema.d.ts"]),
    )
    .await;
    let generate = ["-i", "openapi.json", "-o", "hey", "-p", "@hey-api/client-fetch"];
    run(path, tool("openapi-ts", &generate)).await;
    let compile = [
        "--strict",
        "--skipLibCheck",
        "--lib",
        "es2022,dom,dom.iterable",
        "--target",
        "es2022",
        "--module",
        "commonjs",
        "--moduleResolution",
        "node10",
        "--outDir",
        "js",
        "sign_up.ts",
    ];
    run(path, tool("tsc", &compile)).await;
    let mut sign_up = Command::new("node");
    sign_up.arg("js/sign_up.js").env("ADDRESS", &app.address);
    run(path, sign_up).await;
}

#[actix_web::test]
async fn a_python_client_is_made_and_signs_a_user_up() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = Folder::with_document(&app, "python").await;
    let path = folder.0.as_path();
    fs::write(path.join("sign_up.py"), include_str!("sign_up.py")).unwrap();
    fs::write(path.join("settings.json"), r#"{"post_hooks": []}"#).unwrap();
    let mut generate = python();
    generate.args([
        "-m",
        "openapi_python_client",
        "generate",
        "--fail-on-warning",
        "--meta",
        "none",
    ]);
    generate.args([
        "--path",
        "openapi.json",
        "--output-path",
        "ringback_client",
        "--config",
        "settings.json",
    ]);
    run(path, generate).await;
    let mut sign_up = python();
    sign_up.arg("sign_up.py").env("ADDRESS", &app.address);
    run(path, sign_up).await;
}
