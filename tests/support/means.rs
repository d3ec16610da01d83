//! What a test does to a service from behind: its limits file, its tables, its secret.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::TestApp;

impl TestApp {
    /// A request to be filled in; `Answer::of` sends it.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.address))
    }

    /// Puts these rules in force.
    pub async fn limit(&self, rules: &str) {
        self.write_limits(rules);
        self.running.as_ref().unwrap().reload().await;
    }

    /// Writes the limits file and tells nobody.
    pub fn write_limits(&self, rules: &str) {
        let folder = self.folder.0.join("config");
        std::fs::write(folder.join("limits.new"), rules).unwrap();
        std::fs::rename(folder.join("limits.new"), folder.join("limits.toml")).unwrap();
    }

    /// The secret that the service made for itself.
    pub fn secret(&self) -> String {
        let secret = std::fs::read_to_string(self.folder.0.join("data/secret")).unwrap();
        secret.trim().to_owned()
    }

    /// Runs a statement on the service's database.
    pub async fn sql(&self, statement: String) {
        let statement = AssertSqlSafe(statement);
        match self.environment.get("DATABASE_URL") {
            Some(url) => {
                let mut database = PgConnection::connect(url).await.unwrap();
                sqlx::query(statement).execute(&mut database).await.unwrap();
            }
            None => {
                let mut database = self.sqlite().await;
                sqlx::query(statement).execute(&mut database).await.unwrap();
            }
        }
    }

    /// The one text, or the one number as text, that a query on the service's database answers.
    pub async fn sql_text(&self, query: String) -> String {
        let query = AssertSqlSafe(query);
        match self.environment.get("DATABASE_URL") {
            Some(url) => {
                let mut database = PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar(query).fetch_one(&mut database).await.unwrap()
            }
            None => {
                let mut database = self.sqlite().await;
                sqlx::query_scalar(query).fetch_one(&mut database).await.unwrap()
            }
        }
    }

    /// All that a request could have changed for good: accounts, sessions, SMS.
    pub async fn effects(&self) -> (String, usize) {
        let rows = "SELECT CAST((SELECT count(*) FROM users) AS text) || ' users, ' || \
                    CAST((SELECT count(*) FROM sessions) AS text) || ' sessions'";
        let look = async || (self.sql_text(rows.to_owned()).await, self.messages().await.len());
        // An SMS goes out a moment after its answer: what is on its way is waited for.
        let mut seen = look().await;
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            match look().await {
                again if again == seen => return seen,
                again => seen = again,
            }
        }
    }

    async fn sqlite(&self) -> SqliteConnection {
        let file = self.folder.0.join("data/ringback.db");
        SqliteConnection::connect(&format!("sqlite://{}", file.display()))
            .await
            .unwrap()
    }
}
