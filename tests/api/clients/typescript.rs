//! The client of this repository, `clients/typescript`: its types are those of the document, it compiles, and its own tests
//! pass against the service.

use std::{fs, path::Path, process::Command};

use super::{Folder, run, tool};
use crate::support::{Backends, TestApp, node_modules};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/typescript");
/// Whoever changes the API runs this test once with the variable set: then it writes the types in place of comparing them.
const WRITES: &str = "RINGBACK_WRITE_CLIENT_TYPES";

/// Copies what belongs to the package, without what was built of it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        match entry.file_type().unwrap().is_dir() {
            true if name == "src" || name == "test" => copy(&entry.path(), &to.join(name)),
            true => {}
            false => drop(fs::copy(entry.path(), to.join(name)).unwrap()),
        }
    }
}

/// Builds the client in this folder, of the types that the document has now.
pub async fn build(app: &TestApp, folder: &Path) {
    copy(Path::new(SOURCES), folder);
    fs::write(folder.join("openapi.json"), app.get("/openapi.json").await.raw).unwrap();
    run(
        folder,
        tool("openapi-typescript", &["openapi.json", "-o", "src/schema.ts"]),
    )
    .await;
    run(folder, tool("tsc", &["-p", "."])).await;
}

#[actix_web::test]
async fn the_client_of_this_repository_fits_the_service() {
    let cooldown = [("RINGBACK__OTP__RESEND_COOLDOWN", "5s")];
    let app = TestApp::start_with(Backends::Embedded, &cooldown).await;
    let folder = Folder::new("own");
    let path = folder.0.as_path();
    build(&app, path).await;

    let types = node_modules().join("@types").display().to_string();
    run(
        path,
        tool("tsc", &["-p", "tsconfig.test.json", "--typeRoots", &types]),
    )
    .await;
    let mut tests = Command::new("node");
    tests.arg("--test").env("ADDRESS", &app.address);
    let built = fs::read_dir(path.join("test-dist")).unwrap();
    tests.args(
        built
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.display().to_string().ends_with(".test.js")),
    );
    run(path, tests).await;

    let (kept, made) = (
        Path::new(SOURCES).join("src/schema.ts"),
        path.join("src/schema.ts"),
    );
    if std::env::var_os(WRITES).is_some() {
        fs::copy(&made, &kept).unwrap();
    }
    assert!(
        fs::read(&kept).unwrap() == fs::read(&made).unwrap(),
        "the document has changed. Run: {WRITES}=1 scripts/test --test api the_client_of_this_repository"
    );
}
