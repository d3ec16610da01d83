//! The program in production on real servers, for tests.

use std::collections::BTreeMap;

use ringback::entropy::{Entropy, SystemEntropy};
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use support::{
    Answer, Provider,
    service::{Folder, Service},
    variable,
};

pub const PASSWORD: &str = "correct-horse-battery";
pub const PHONE: &str = "+14152007754";
pub const TWILIO_TOKEN: &str = "twilio-token-5a1f";
pub const SECRET: &str = "9NUgm2Hb0aVtUYOzuQsxK1gO8aOS2Vxm1d1EoYYb3Zk=";

/// An empty database on the tests' PostgreSQL: its URL.
pub async fn database() -> String {
    let name = format!("b{}", (&SystemEntropy as &dyn Entropy).uuid().simple());
    let url = variable("RINGBACK_TEST_DATABASE_URL");
    let mut server = PgConnection::connect(&url).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
    server.execute(sqlx::raw_sql(create)).await.unwrap();
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

/// Production on real servers: its environment, and the provider that it sends by.
pub async fn production(log: &str) -> (BTreeMap<&'static str, String>, Provider) {
    let database = database().await;
    let prefix = database.rsplit('/').next().unwrap()[..16].to_owned();
    let provider = Provider::start().await;
    let variables = [
        ("RINGBACK_ENV", "production".to_owned()),
        ("RINGBACK_SECRET", SECRET.to_owned()),
        ("DATABASE_URL", database),
        ("REDIS_URL", variable("RINGBACK_TEST_REDIS_URL")),
        ("RINGBACK__REDIS__PREFIX", prefix),
        (
            "TWILIO_ACCOUNT_SID",
            "AC00000000000000000000000000000000".to_owned(),
        ),
        ("RINGBACK__SMS__COUNTRIES_ALLOW", "*".to_owned()),
        ("TWILIO_AUTH_TOKEN", TWILIO_TOKEN.to_owned()),
        ("TWILIO_PHONE_NUMBER", "+15005550006".to_owned()),
        ("TWILIO_BASE_URL", provider.url.clone()),
        ("RINGBACK__TELEMETRY__LOG", log.to_owned()),
    ];
    (variables.into(), provider)
}

pub fn start(folder: &Folder, variables: &BTreeMap<&'static str, String>) -> Service {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Service::start(folder, &variables)
}

pub async fn with_token(service: &Service, method: &str, path: &str, token: &str, body: Value) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = service
        .client
        .request(method, format!("{}{path}", service.address));
    Answer::of(request.bearer_auth(token).json(&body)).await
}
