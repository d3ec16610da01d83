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

/// Next.js itself is too large for this: its files fit the client's types, and React's. The address that a browser tells is
/// passed on only where a proxy is said to have written it.
#[actix_web::test]
async fn the_files_for_nextjs_fit_the_client_and_believe_no_browser() {
    let trusted = [("RINGBACK__SERVER__TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::start_with(Backends::Embedded, &trusted).await;
    let folder = Folder::new("nextjs");
    let path = folder.0.as_path();
    let client = path.join("node_modules/@ringback/client");
    fs::create_dir_all(&client).unwrap();
    build(&app, &client).await;
    for package in ["react", "csstype", "@types"] {
        std::os::unix::fs::symlink(
            node_modules().join(package),
            path.join("node_modules").join(package),
        )
        .unwrap();
    }
    fs::create_dir(path.join("lib")).unwrap();
    for (file, language, text) in [
        ("lib/ringback.ts", "ts", "next/headers"),
        ("route.ts", "ts", "const actions"),
        ("page.tsx", "tsx", "use client"),
    ] {
        fs::write(path.join(file), shown(&app, language, text)).unwrap();
    }
    fs::write(path.join("next.d.ts"), NEXT).unwrap();
    let settings = r#"{ "compilerOptions": {
        "strict": true, "noEmit": true, "skipLibCheck": true, "jsx": "react-jsx", "lib": ["es2022", "dom", "dom.iterable"],
        "target": "es2022", "module": "esnext", "moduleResolution": "bundler", "preserveSymlinks": true,
        "types": ["react", "node"], "paths": { "@/*": ["./*"] } }, "include": ["*.ts", "*.tsx", "lib/*.ts"] }"#;
    fs::write(path.join("tsconfig.json"), settings).unwrap();
    run(path, tool("tsc", &["-p", "."])).await;

    fs::write(path.join("headers.mjs"), NEXT_HEADERS).unwrap();
    fs::write(path.join("passed_on.mjs"), include_str!("quickstart_nextjs.mjs")).unwrap();
    let bundle = "passed_on.mjs --bundle --platform=node --format=esm --alias:next/headers=./headers.mjs --outfile=bundle.mjs";
    run(
        path,
        tool("esbuild", &bundle.split_whitespace().collect::<Vec<_>>()),
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
