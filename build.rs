//! Migrations are compiled in: a new file among them means a new build.
//!
//! `sqlx::migrate!` would do the same; its macros are built with all of sqlx, TLS and SQLite a second time, for the machine that
//! builds (`docs/performance.md`).

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("migrations");
    let mut code = String::new();
    for database in ["postgres", "sqlite"] {
        let files = fs::read_dir(folder.join(database))?;
        let mut files: Vec<_> = files
            .map(|file| Ok(file?.path()))
            .collect::<Result<_, std::io::Error>>()?;
        files.sort();
        writeln!(code, "pub const {}: &[File] = &[", database.to_uppercase())?;
        for file in files {
            let name = file
                .file_stem()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let (version, description) = name
                .split_once('_')
                .ok_or_else(|| format!("{name}: a migration is called VERSION_DESCRIPTION.sql"))?;
            let (version, description) = (version.parse::<i64>()?, description.replace('_', " "));
            writeln!(
                code,
                "File {{ version: {version}, description: {description:?}, sql: include_str!({file:?}) }},"
            )?;
        }
        writeln!(code, "];")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), code)?;
    Ok(())
}
