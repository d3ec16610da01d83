//! What `docs/quickstart.md` shows is true: its commands and pages are run as they stand there, but for the port.

use std::{fs, process::Command};

use crate::{
    browser::drive,
    clients::{Folder, run, tool, typescript::build},
    support::{Backends, TestApp, node_modules},
};

const QUICKSTART: &str = include_str!("../../docs/quickstart.md");

/// The block in this language that has this text in it, for the service under test.
fn shown(app: &TestApp, language: &str, text: &str) -> String {
    let opening = format!("\n```{language}\n");
    let blocks = QUICKSTART.split(&opening).skip(1);
    let mut blocks = blocks.map(|block| block.split_once("\n```").unwrap().0);
    let block = blocks.find(|block| block.contains(text)).unwrap();
    assert!(block.contains("http://127.0.0.1:8000"), "{block}");
    block.replace("http://127.0.0.1:8000", &app.address)
}

#[actix_web::test]
async fn the_commands_verify_a_phone() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = Folder::new("curl");
    let commands = shown(&app, "bash", "verify-phone-otp") + " | grep '\"phone_verified\":true'";
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &commands]);
    run(&folder.0, bash).await;
}

#[actix_web::test]
async fn the_plain_page_verifies_a_phone() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = Folder::new("plain");
    fs::write(folder.0.join("index.html"), shown(&app, "html", "<form")).unwrap();
    drive(&app, "quickstart_html.mjs", &folder.0).await;
}

#[actix_web::test]
async fn the_react_app_verifies_a_phone() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = Folder::new("react");
    let path = folder.0.as_path();
    let client = path.join("node_modules/@ringback/client");
    fs::create_dir_all(&client).unwrap();
    build(&app, &client).await;
    fs::write(path.join("app.tsx"), shown(&app, "tsx", "createClient")).unwrap();
    fs::write(
        path.join("main.tsx"),
        "import { createRoot } from 'react-dom/client'; import { App } from './app'; \
         createRoot(document.body).render(<App />);",
    )
    .unwrap();
    fs::write(
        path.join("index.html"),
        "<!doctype html><title>React</title><body></body><script src=\"main.js\"></script>",
    )
    .unwrap();
    for package in ["react", "react-dom", "scheduler", "csstype", "@types"] {
        std::os::unix::fs::symlink(
            node_modules().join(package),
            path.join("node_modules").join(package),
        )
        .unwrap();
    }
    let strict = "--strict --noEmit --skipLibCheck --jsx react-jsx --lib es2022,dom,dom.iterable --target es2022 \
                  --module esnext --moduleResolution bundler --preserveSymlinks --types react,react-dom app.tsx main.tsx";
    run(path, tool("tsc", &strict.split_whitespace().collect::<Vec<_>>())).await;
    let bundle = [
        "main.tsx",
        "--bundle",
        "--outfile=main.js",
        "--jsx=automatic",
        "--preserve-symlinks",
    ];
    run(path, tool("esbuild", &bundle)).await;
    drive(&app, "quickstart_react.mjs", path).await;
}
