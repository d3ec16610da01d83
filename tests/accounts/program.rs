//! The program and its database, for tests of its commands on accounts.

use sqlx::{AssertSqlSafe, Connection, Decode, PgConnection, Postgres, Sqlite, SqliteConnection, Type};
use support::service::Folder;

use crate::harness::{runtime, with_postgres_url};

pub struct Cli<'a> {
    pub folder: &'a Folder,
    pub database: &'a str,
}

impl Cli<'_> {
    /// The one value that a query has, read past the program.
    pub async fn scalar<T>(&self, query: &str) -> T
    where
        T: Send + Unpin + Type<Sqlite> + Type<Postgres>,
        T: for<'r> Decode<'r, Sqlite> + for<'r> Decode<'r, Postgres>,
    {
        let query = AssertSqlSafe(query.to_owned());
        if self.database.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(self.database).await.unwrap();
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        } else {
            let mut connection = PgConnection::connect(self.database).await.unwrap();
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        }
    }
}

/// The case on an SQLite file and on PostgreSQL.
pub fn on_both(case: impl AsyncFn(Cli<'_>) + Copy + Send + Sync + 'static) {
    let folder = Folder::new();
    let database = format!("sqlite://{}", folder.path().join("users.db").display());
    runtime().block_on(case(Cli {
        folder: &folder,
        database: &database,
    }));
    let (tell, told) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    // The case waits for programs, on this thread; the database is dropped after it.
    let server = std::thread::spawn(move || {
        with_postgres_url(|url| async move {
            tell.send(url).unwrap();
            let _ = tokio::task::spawn_blocking(move || is_done.recv()).await;
        });
    });
    let folder = Folder::new();
    let url = told.recv().unwrap();
    runtime().block_on(case(Cli {
        folder: &folder,
        database: &url,
    }));
    drop(done);
    server.join().unwrap();
}
