//! Instances of the program on shared servers, and the simulator that they send by.

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use redis::AsyncCommands;
use ringback::entropy::{Entropy, SystemEntropy};
use sqlx::{Connection, Executor, PgConnection};

use support::{
    service::{Folder, Service},
    simulator::Simulator,
    variable,
};

/// `number` is the last digits of it.
pub fn phone(number: u64) -> String {
    format!("+1415{:07}", 2_000_000 + number)
}

/// Who can be asked for a code: those who run.
pub type Addresses = Arc<Mutex<Vec<Option<String>>>>;

pub struct Fleet {
    pub simulator: Simulator,
    pub addresses: Addresses,
    folder: Folder,
    variables: Vec<(&'static str, String)>,
    instances: Vec<Option<Service>>,
    prefix: String,
    pub database: String,
}

impl Fleet {
    /// `count` instances in production settings but for `changed`, among so many users, each with a phone of his own.
    pub async fn start(count: usize, users: u64, changed: &[(&'static str, &str)]) -> Self {
        let random: [u8; 32] = (&SystemEntropy as &dyn Entropy).bytes();
        let secret = BASE64_STANDARD.encode(random);
        let name = format!("k{}", (&SystemEntropy as &dyn Entropy).uuid().simple());
        let server = variable("RINGBACK_TEST_DATABASE_URL");
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
        connection.execute(sqlx::raw_sql(create)).await.unwrap();
        let database = format!("{}/{name}", server.rsplit_once('/').unwrap().0);

        let simulator = Simulator::start(&["--keep", "1000000"]);
        let folder = Folder::new();
        let limits = folder.write("no-limits.toml", "");
        let prefix = name[..16].to_owned();
        let mut variables = vec![
            ("RINGBACK_ENV", "production".to_owned()),
            ("RINGBACK_SECRET", secret),
            ("DATABASE_URL", database.clone()),
            ("REDIS_URL", variable("RINGBACK_TEST_REDIS_URL")),
            ("RINGBACK__REDIS__PREFIX", prefix.clone()),
            ("RINGBACK__LIMITS__FILE", limits.to_str().unwrap().to_owned()),
            ("RINGBACK__DATABASE__MAX_CONNECTIONS", "4".to_owned()),
            (
                "TWILIO_ACCOUNT_SID",
                "AC00000000000000000000000000000000".to_owned(),
            ),
            ("RINGBACK__SMS__COUNTRIES_ALLOW", "*".to_owned()),
            ("TWILIO_AUTH_TOKEN", "any".to_owned()),
            ("TWILIO_PHONE_NUMBER", "+15005550006".to_owned()),
            ("TWILIO_BASE_URL", simulator.url.clone()),
        ];
        variables.extend(changed.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut fleet = Self {
            simulator,
            addresses: Arc::new(Mutex::new(vec![None; count])),
            folder,
            variables,
            instances: (0..count).map(|_| None).collect(),
            prefix,
            database: database.clone(),
        };
        let (code, _, said) = fleet.folder.run(&["migrate"], &fleet.borrowed());
        assert_eq!(code, 0, "{said}");
        let mut connection = PgConnection::connect(&database).await.unwrap();
        let insert = format!(
            "INSERT INTO users (id, email, email_key, phone, first_name, last_name, password_hash, created_at, \
             updated_at) SELECT gen_random_uuid(), n || '@example.com', n || '@example.com', \
             '+1415' || (2000000 + n), 'A', 'B', '-', now(), now() FROM generate_series(0, {users}) n"
        );
        let insert = sqlx::AssertSqlSafe(insert);
        connection.execute(sqlx::raw_sql(insert)).await.unwrap();
        for index in 0..count {
            fleet.launch(index).await;
        }
        fleet
    }

    /// Starts an instance that isn't there, and waits until it serves.
    pub async fn launch(&mut self, index: usize) {
        if self.instances[index].is_none() {
            let variables = self.borrowed();
            let service = tokio::task::block_in_place(|| Service::start(&self.folder, &variables));
            self.addresses.lock().unwrap()[index] = Some(service.address.clone());
            self.instances[index] = Some(service);
        }
    }

    /// kill -9.
    pub fn kill(&mut self, index: usize) {
        drop(self.instances[index].take());
        self.addresses.lock().unwrap()[index] = None;
    }

    /// Which instance is at this address.
    pub fn at(&self, address: &str) -> Option<usize> {
        let addresses = self.addresses.lock().unwrap();
        addresses
            .iter()
            .position(|known| known.as_deref() == Some(address))
    }

    pub fn runs(&self, index: usize) -> bool {
        self.instances[index].is_some()
    }

    /// SMS that the outbox owes.
    pub async fn owed(&self) -> usize {
        let client = redis::Client::open(variable("RINGBACK_TEST_REDIS_URL")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut owed = 0;
        let keys: Vec<String> = connection.keys(format!("{}*:x?", self.prefix)).await.unwrap();
        for key in keys {
            owed += connection.zcard::<_, usize>(key).await.unwrap();
        }
        owed
    }

    fn borrowed(&self) -> Vec<(&str, &str)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (*name, value.as_str())).collect()
    }
}
