//! What a test has for itself, and leaves nothing of: a folder, and a database in the server that all tests share.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};

use crate::variable;

/// A temporary folder, and a database where there is one: both are removed with the last service that uses them.
pub struct Folder(pub PathBuf, pub Option<Database>);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A database of PostgreSQL, named after its test.
pub struct Database(String);

impl Database {
    pub async fn create(name: &str) -> Self {
        let database = Self(format!("t{name}"));
        in_server(format!("CREATE DATABASE \"{}\"", database.0))
            .await
            .unwrap();
        database
    }

    pub fn url(&self) -> String {
        let server = variable("RINGBACK_TEST_DATABASE_URL");
        let (server, _) = server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.0)
    }
}

impl Drop for Database {
    /// On a thread of its own, since a test's may be in the middle of something. Eight megabytes a test fill a disk.
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.0);
        let thread = std::thread::spawn(|| actix_web::rt::System::new().block_on(in_server(drop)));
        // A server that is gone has nothing left to drop.
        let _ = thread.join();
    }
}

async fn in_server(statement: String) -> Result<(), sqlx::Error> {
    let mut server = PgConnection::connect(&variable("RINGBACK_TEST_DATABASE_URL")).await?;
    server.execute(raw_sql(AssertSqlSafe(statement))).await?;
    server.close().await
}
