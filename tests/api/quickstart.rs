//! What `docs/quickstart.md` shows is true: its commands and pages are run as they stand there, but for the port.

use std::{fs, path::Path, process::Command};

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

/// A folder with the client and React in `node_modules`.
async fn with_react(app: &TestApp, name: &str) -> Folder {
    let folder = Folder::new(name);
    let installed = folder.0.join("node_modules");
    let client = installed.join("@ringback/client");
    fs::create_dir_all(&client).unwrap();
    build(app, &client).await;
    for package in ["react", "react-dom", "scheduler", "csstype", "@types"] {
        std::os::unix::fs::symlink(node_modules().join(package), installed.join(package)).unwrap();
    }
    folder
}

async fn run_tool(folder: &Path, name: &str, arguments: &str) {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    run(folder, tool(name, &arguments)).await;
}

const PAGE: &str =
    "<!doctype html><title>React</title><div id=\"root\"></div><script src=\"main.js\"></script>";

/// `src/main.tsx` of Vite's template `react-ts`, but for its stylesheet, and how that template checks types.
const VITE_MAIN: &str = "import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import App from './App.tsx'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)";
const VITE_TSC: &str = "--strict --noEmit --skipLibCheck --jsx react-jsx --lib es2023,dom --target es2023 --module esnext \
    --moduleResolution bundler --allowImportingTsExtensions --verbatimModuleSyntax --moduleDetection force --noUnusedLocals \
    --noUnusedParameters --erasableSyntaxOnly --noFallthroughCasesInSwitch --preserveSymlinks --types react,react-dom main.tsx";

#[actix_web::test]
async fn the_react_app_verifies_a_phone() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = with_react(&app, "react").await;
    let path = folder.0.as_path();
    fs::write(path.join("App.tsx"), shown(&app, "tsx", "createClient")).unwrap();
    fs::write(path.join("main.tsx"), VITE_MAIN).unwrap();
    fs::write(path.join("index.html"), PAGE).unwrap();
    run_tool(path, "tsc", VITE_TSC).await;
    let bundle = "main.tsx --bundle --outfile=main.js --jsx=automatic --preserve-symlinks";
    run_tool(path, "esbuild", bundle).await;
    drive(&app, "quickstart_react.mjs", path).await;
}

/// What the files of the Next.js part take from Next.js.
const NEXT: &str = r#"declare module "next/headers" {
  export function headers(): Promise<Headers>;
  export function cookies(): Promise<{
    get(name: string): { value: string } | undefined;
    set(cookie: { name: string; value: string; httpOnly: boolean; sameSite: "lax"; secure: boolean; path: string; maxAge: number }): void;
    delete(name: string): void;
  }>;
}"#;

/// The same at work, for one browser.
const NEXT_HEADERS: &str = "export const browser = { headers: new Headers(), cookies: new Map() };
export const headers = async () => browser.headers;
export const cookies = async () => ({
  get: (name) => (browser.cookies.has(name) ? { value: browser.cookies.get(name) } : undefined),
  set: ({ name, value }) => browser.cookies.set(name, value),
  delete: (name) => browser.cookies.delete(name),
});";

/// The files of the Next.js part, which fit the client's types, and React's: Next.js itself is too large for this.
async fn with_nextjs(app: &TestApp, name: &str) -> Folder {
    let folder = with_react(app, name).await;
    let path = folder.0.as_path();
    fs::create_dir(path.join("lib")).unwrap();
    for (file, language, text) in [
        ("lib/ringback.ts", "ts", "next/headers"),
        ("route.ts", "ts", "const actions"),
        ("page.tsx", "tsx", "use client"),
    ] {
        fs::write(path.join(file), shown(app, language, text)).unwrap();
    }
    fs::write(path.join("next.d.ts"), NEXT).unwrap();
    let settings = r#"{ "compilerOptions": {
        "strict": true, "noEmit": true, "skipLibCheck": true, "jsx": "react-jsx", "lib": ["es2022", "dom", "dom.iterable"],
        "target": "es2022", "module": "esnext", "moduleResolution": "bundler", "preserveSymlinks": true,
        "types": ["react", "node"], "paths": { "@/*": ["./*"] } }, "include": ["*.ts", "*.tsx", "lib/*.ts"] }"#;
    fs::write(path.join("tsconfig.json"), settings).unwrap();
    run_tool(path, "tsc", "-p .").await;
    fs::write(path.join("headers.mjs"), NEXT_HEADERS).unwrap();
    folder
}

const FOR_NODE: &str = "--bundle --platform=node --format=esm --alias:next/headers=./headers.mjs";

#[actix_web::test]
async fn the_page_for_nextjs_verifies_a_phone() {
    let app = TestApp::start(Backends::Embedded).await;
    let folder = with_nextjs(&app, "nextjs-page").await;
    let path = folder.0.as_path();
    let main = "import { createRoot } from 'react-dom/client'; import Page from './page'; \
                createRoot(document.getElementById('root')!).render(<Page />);";
    fs::write(path.join("main.tsx"), main).unwrap();
    fs::write(path.join("index.html"), PAGE).unwrap();
    let bundle = "main.tsx --bundle --outfile=main.js --jsx=automatic --preserve-symlinks";
    run_tool(path, "esbuild", bundle).await;
    run_tool(
        path,
        "esbuild",
        &format!("route.ts {FOR_NODE} --outfile=served.mjs"),
    )
    .await;
    drive(&app, "quickstart_nextjs_page.mjs", path).await;
}

/// The address that a browser tells is passed on only where a proxy is said to have written it.
#[actix_web::test]
async fn the_files_for_nextjs_fit_the_client_and_believe_no_browser() {
    let trusted = [("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::start_with(Backends::Embedded, &trusted).await;
    let folder = with_nextjs(&app, "nextjs").await;
    let path = folder.0.as_path();
    fs::write(path.join("passed_on.mjs"), include_str!("quickstart_nextjs.mjs")).unwrap();
    run_tool(
        path,
        "esbuild",
        &format!("passed_on.mjs {FOR_NODE} --outfile=bundle.mjs"),
    )
    .await;
    for (trust, network) in [("", "127.0.0.0/24"), ("1", "198.51.100.0/24")] {
        let mut node = Command::new("node");
        node.arg("bundle.mjs")
            .env("TRUST_PROXY", trust)
            .env("NETWORK", network);
        run(path, node).await;
    }
}
