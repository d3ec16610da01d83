//! A running service for a test: its own port, its own database, its own time, and the SMS that it sent.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use chrono::TimeDelta;
use ringback::{
    clock::{Clock, ShiftedClock, SystemClock},
    entropy::{Entropy, SystemEntropy},
    settings::Settings,
    startup::{self, Running, World},
};
use serde_json::{Value, json};

use crate::{Answer, Database, Folder, Provider, code_in, eventually, registration, variable};

/// What a service under test stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backends {
    /// SQLite, this process's memory and the inbox: what a newcomer runs.
    Embedded,
    /// PostgreSQL, Redis and a provider over HTTP: what production runs.
    Servers,
}

/// Makes two tests of each function: on the embedded parts, and on real servers.
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)*) => {
        mod suite {
            use super::*;
            $($(#[$meta])* pub async fn $name($app: TestApp) $body)*
        }
        mod embedded {
            $(#[actix_web::test] async fn $name() {
                super::suite::$name($crate::TestApp::start($crate::Backends::Embedded).await).await;
            })*
        }
        mod servers {
            $(#[actix_web::test] async fn $name() {
                super::suite::$name($crate::TestApp::start($crate::Backends::Servers).await).await;
            })*
        }
    };
}
/// A service under test; it ends with the test.
pub struct TestApp {
    pub address: String,
    pub ops: String,
    /// Where administrators come in.
    pub admin: String,
    pub client: reqwest::Client,
    pub provider: Option<Arc<Provider>>,
    pub running: Option<Running>,
    pub folder: Arc<Folder>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) clock: ShiftedClock,
    pub(crate) redis_clock: Arc<AtomicI64>,
}

/// A service that is about to start.
#[derive(Clone)]
pub struct Prepared {
    pub environment: BTreeMap<String, String>,
    pub provider: Option<Arc<Provider>>,
    pub folder: Arc<Folder>,
}

impl Prepared {
    pub async fn start(self) -> TestApp {
        let clock = ShiftedClock::new(Arc::new(SystemClock));
        TestApp::launch(
            self.environment,
            self.provider,
            self.folder,
            clock,
            Arc::default(),
        )
        .await
    }
}

/// An account that a test made, and its tokens.
#[derive(Debug, Clone)]
pub struct Account {
    pub email: String,
    pub phone: String,
    pub id: String,
    pub access: String,
    pub refresh: String,
}

pub const PASSWORD: &str = "securepass123";

impl TestApp {
    /// With the settings of the contract, no rate limits, and cheap password hashes.
    pub async fn start(backends: Backends) -> Self {
        Self::start_with(backends, &[]).await
    }

    /// The same with further environment variables.
    pub async fn start_with(backends: Backends, variables: &[(&str, &str)]) -> Self {
        Self::prepare(backends, variables).await.start().await
    }

    /// What a service would start with.
    pub async fn prepare(backends: Backends, variables: &[(&str, &str)]) -> Prepared {
        let name = (&SystemEntropy as &dyn Entropy).uuid().simple().to_string();
        let folder = std::env::temp_dir().join(format!("ringback-test-{name}"));
        std::fs::create_dir_all(folder.join("config")).unwrap();
        std::fs::write(folder.join("config/limits.toml"), "# no limits\n").unwrap();
        let path = |tail: &str| folder.join(tail).display().to_string();
        let mut environment: BTreeMap<String, String> = [
            ("RINGBACK_CONFIG_DIR", path("config")),
            ("RINGBACK__DATA__DIR", path("data")),
            ("RINGBACK__LIMITS__FILE", path("config/limits.toml")),
            ("RINGBACK__SERVER__BIND", "127.0.0.1:0".to_owned()),
            ("RINGBACK__SERVER__OPS_BIND", "127.0.0.1:0".to_owned()),
            ("RINGBACK__ADMIN__BIND", "127.0.0.1:0".to_owned()),
            ("RINGBACK__SERVER__WORKERS", "2".to_owned()),
            ("RINGBACK__DELIVERY__PROBE_AFTER", "100ms".to_owned()),
            ("RINGBACK__DELIVERY__PROBE_EVERY", "400ms".to_owned()),
            ("RINGBACK__PASSWORDS__MEMORY_KIB", "64".to_owned()),
            ("RINGBACK__PASSWORDS__QUEUE", "1000".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let (mut provider, mut database) = (None, None);
        if backends == Backends::Servers {
            let twilio = Provider::start().await;
            let own = Database::create(&name).await;
            let servers = [
                ("DATABASE_URL", own.url()),
                ("REDIS_URL", variable("RINGBACK_TEST_REDIS_URL")),
                ("RINGBACK__REDIS__PREFIX", format!("t{}", &name[..16])),
                (
                    "TWILIO_ACCOUNT_SID",
                    "AC00000000000000000000000000000000".to_owned(),
                ),
                ("TWILIO_AUTH_TOKEN", "a-token-that-no-log-may-show".to_owned()),
                ("TWILIO_PHONE_NUMBER", "+15005550006".to_owned()),
                ("TWILIO_BASE_URL", twilio.url.clone()),
            ];
            environment.extend(servers.map(|(name, value)| (name.to_owned(), value)));
            (provider, database) = (Some(Arc::new(twilio)), Some(own));
        }
        environment.extend(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Prepared {
            environment,
            provider,
            folder: Arc::new(Folder(folder, database)),
        }
    }

    /// Another instance of the same service: the same database, Redis, secret, time and provider.
    pub async fn sibling(&self) -> Self {
        self.sibling_with(&[]).await
    }

    /// The same with further environment variables.
    pub async fn sibling_with(&self, variables: &[(&str, &str)]) -> Self {
        let (mut environment, folder) = (self.environment.clone(), Arc::clone(&self.folder));
        environment.extend(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        Self::launch(
            environment,
            self.provider.clone(),
            folder,
            self.clock.clone(),
            Arc::clone(&self.redis_clock),
        )
        .await
    }

    async fn launch(
        environment: BTreeMap<String, String>,
        provider: Option<Arc<Provider>>,
        folder: Arc<Folder>,
        clock: ShiftedClock,
        redis_clock: Arc<AtomicI64>,
    ) -> Self {
        let settings = Settings::load(environment.clone()).unwrap_or_else(|faults| panic!("{faults}"));
        let world = World {
            clock: Arc::new(clock.clone()),
            redis_clock_offset: Arc::clone(&redis_clock),
            ..World::default()
        };
        let running = startup::start(&settings, world)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            address: format!("http://{}", running.address),
            ops: format!("http://{}", running.ops_address.unwrap()),
            admin: format!("http://{}", running.admin_address.unwrap()),
            client,
            provider,
            running: Some(running),
            folder,
            environment,
            clock,
            redis_clock,
        }
    }

    /// Runs a command of the program beside the service, with its environment: exit code, standard output and standard error.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = std::process::Command::new(crate::program("ringback"));
        command
            .args(arguments)
            .current_dir(&self.folder.0)
            .env_clear()
            .envs(&self.environment);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap_or(-1), said.concat())
    }

    /// Lets time pass, for the service and for Redis.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
        self.redis_clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Lets time pass until a minute begins.
    pub fn begin_minute(&self) {
        self.pass(60 - self.clock.now().timestamp() % 60);
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as(path, body, None).await
    }

    pub async fn post_as(&self, path: &str, body: Value, token: Option<&str>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.address)).json(&body);
        Answer::of(
            token
                .into_iter()
                .fold(request, |request, token| request.bearer_auth(token)),
        )
        .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.address))).await
    }

    pub async fn get_as(&self, path: &str, token: &str) -> Answer {
        Answer::of(
            self.client
                .get(format!("{}{path}", self.address))
                .bearer_auth(token),
        )
        .await
    }

    /// Registers somebody new who claims `phone`.
    pub async fn register(&self, phone: &str) -> Account {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let email = format!("user{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        let answer = self
            .post("/api/users/register/", registration(&email, phone))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |pointer: &str| {
            answer
                .body
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap()
                .to_owned()
        };
        Account {
            email,
            phone: text("/user/phone"),
            id: text("/user/id"),
            access: text("/tokens/access"),
            refresh: text("/tokens/refresh"),
        }
    }

    pub async fn send(&self, phone: &str, token: Option<&str>) -> Answer {
        self.post_as("/api/users/send-phone-otp/", json!({ "phone": phone }), token)
            .await
    }

    pub async fn verify(&self, phone: &str, otp: &str, token: Option<&str>) -> Answer {
        self.post_as(
            "/api/users/verify-phone-otp/",
            json!({ "phone": phone, "otp": otp }),
            token,
        )
        .await
    }

    /// Every SMS that went out, the oldest first: number and text.
    pub async fn messages(&self) -> Vec<(String, String)> {
        match &self.provider {
            Some(provider) => provider.messages(),
            None => {
                let answer = self.get("/dev/inbox.json").await;
                let message = |message: &Value| {
                    let text = |field: &str| message[field].as_str().unwrap().to_owned();
                    (text("to"), text("body"))
                };
                answer
                    .body
                    .as_array()
                    .unwrap()
                    .iter()
                    .rev()
                    .map(message)
                    .collect()
            }
        }
    }

    /// Sends a code to `phone` and reads it from the SMS that comes of it.
    pub async fn code(&self, phone: &str, token: Option<&str>) -> String {
        let codes = async |to: &str| {
            let mut messages = self.messages().await;
            messages.retain(|(phone, _)| phone == to);
            messages
                .iter()
                .filter_map(|(_, body)| code_in(body))
                .collect::<Vec<_>>()
        };
        let before = self.messages().await;
        let answer = self.send(phone, token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // Where a test made time pass, an earlier SMS may have come a second time.
        let is_new = |code: &String| {
            before
                .iter()
                .all(|(_, body)| code_in(body).as_ref() != Some(code))
        };
        eventually("an SMS", async || {
            codes(answer.text("phone")).await.into_iter().find(is_new)
        })
        .await
    }

    /// Registers somebody and proves his phone.
    pub async fn verified(&self, phone: &str) -> Account {
        let account = self.register(phone).await;
        let code = self.code(phone, None).await;
        let answer = self.verify(phone, &code, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        account
    }

    /// The value of a metric, summed over the lines that hold all of `labels`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self
            .client
            .get(format!("{}/metrics", self.ops))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let lines = text.lines().filter(|line| {
            line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label))
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}
