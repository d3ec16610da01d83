//! Users at work behind a load balancer: it asks each instance for its readiness, and sends nobody to one that isn't ready.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde_json::{Value, json};
use support::Provider;

use crate::production::PASSWORD;

/// Users who are at work at the same time.
const USERS: usize = 3;
/// How often readiness is asked for: far more often than `server.drain_delay`.
const LOOK: Duration = Duration::from_millis(50);

/// What the balancer and its users share.
#[derive(Default)]
struct Shared {
    instances: Mutex<Vec<String>>,
    ready: Mutex<Vec<String>>,
    turn: AtomicUsize,
    rounds: AtomicUsize,
    failures: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Runs on threads of its own, so that a test may wait for processes meanwhile.
pub struct Balancer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Balancer {
    pub fn start(instances: &[&str], provider: &Arc<Provider>) -> Self {
        let shared = Arc::new(Shared::default());
        *lock(&shared.instances) = instances.iter().map(|&instance| instance.to_owned()).collect();
        *lock(&shared.ready) = lock(&shared.instances).clone();
        let mut threads = vec![on_a_thread(watch(Arc::clone(&shared)))];
        for user in 0..USERS {
            threads.push(on_a_thread(use_it(
                Arc::clone(&shared),
                Arc::clone(provider),
                user,
            )));
        }
        Self { shared, threads }
    }

    /// One more instance; it is used once it is ready.
    pub fn add(&self, instance: &str) {
        lock(&self.shared.instances).push(instance.to_owned());
    }

    /// Waits until users have been served so many times more, from registration to login.
    pub async fn serve(&self, rounds: usize) {
        let until = self.shared.rounds.load(Ordering::Relaxed) + rounds;
        for _ in 0..6_000 {
            if self.shared.rounds.load(Ordering::Relaxed) >= until || !lock(&self.shared.failures).is_empty()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("users are not served: {:?}", lock(&self.shared.ready));
    }

    /// Who is used at present.
    pub fn ready(&self) -> Vec<String> {
        lock(&self.shared.ready).clone()
    }

    /// Ends it: every request that was not answered as it should be.
    pub fn end(self) -> Vec<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        std::mem::take(&mut lock(&self.shared.failures))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn on_a_thread(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work);
    })
}

async fn watch(shared: Arc<Shared>) {
    let client = reqwest::Client::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let mut ready = Vec::new();
        let instances = lock(&shared.instances).clone();
        for instance in instances {
            let answer = client.get(format!("{instance}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                ready.push(instance);
            }
        }
        *lock(&shared.ready) = ready;
        tokio::time::sleep(LOOK).await;
    }
}

/// One user after the other: each request goes to another instance than the one before.
async fn use_it(shared: Arc<Shared>, provider: Arc<Provider>, user: usize) {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20));
    let caller = Caller {
        client: client.build().unwrap(),
        shared: Arc::clone(&shared),
    };
    let mut number = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let phone = format!("+1415{:07}", 2_010_000 + number * USERS + user);
        match caller.register_verify_and_login(&phone, &provider).await {
            Ok(()) => shared.rounds.fetch_add(1, Ordering::Relaxed),
            Err(failure) => {
                lock(&shared.failures).push(failure);
                return;
            }
        };
        number += 1;
    }
}

struct Caller {
    client: reqwest::Client,
    shared: Arc<Shared>,
}

impl Caller {
    async fn register_verify_and_login(&self, phone: &str, provider: &Provider) -> Result<(), String> {
        let person = json!({ "email": format!("{}@example.com", &phone[1..]), "phone": phone, "first_name": "Ada",
                             "password": PASSWORD, "password_confirm": PASSWORD });
        let made = self.post("register/", None, &person, 201).await?;
        let token = made["tokens"]["access"].as_str().map(str::to_owned);
        let sent = self
            .post(
                "send-phone-otp/",
                token.as_deref(),
                &json!({ "phone": phone }),
                200,
            )
            .await?;
        let code = code(provider, phone).await?;
        let verify = json!({ "phone": phone, "otp": code, "challenge_id": sent["challenge_id"] });
        self.post("verify-phone-otp/", token.as_deref(), &verify, 200)
            .await?;
        let refresh = json!({ "refresh": made["tokens"]["refresh"] });
        let tokens = self.post("token/refresh/", None, &refresh, 200).await?;
        let token = tokens["tokens"]["access"].as_str();
        let me = self.call(reqwest::Method::GET, "me/", token, None, 200).await?;
        if me["phone_verified"] != true {
            return Err(format!("not verified: {me}"));
        }
        let login = json!({ "phone": phone, "password": PASSWORD });
        self.post("login/", None, &login, 200).await.map(drop)
    }

    async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
        status: u16,
    ) -> Result<Value, String> {
        self.call(reqwest::Method::POST, path, token, Some(body), status)
            .await
    }

    async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
        status: u16,
    ) -> Result<Value, String> {
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed);
        let instance = {
            let ready = lock(&self.shared.ready);
            let at = turn.checked_rem(ready.len());
            at.map(|at| ready[at].clone()).ok_or("no instance is ready")?
        };
        let mut request = self
            .client
            .request(method, format!("{instance}/api/users/{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| format!("{path} at {instance}: {error:?}"))?;
        let given = answer.status().as_u16();
        let body: Value = answer
            .json()
            .await
            .map_err(|error| format!("{path} at {instance}, {given}: {error:?}"))?;
        (given == status)
            .then_some(&body)
            .cloned()
            .ok_or_else(|| format!("{path} at {instance}: {given} {body}"))
    }
}

async fn code(provider: &Provider, phone: &str) -> Result<String, String> {
    for _ in 0..2_000 {
        let messages = provider.messages();
        if let Some((_, text)) = messages.iter().rfind(|(to, _)| to == phone) {
            let mut runs = text.split(|character: char| !character.is_ascii_digit());
            return runs
                .find(|run| run.len() == 6)
                .map(str::to_owned)
                .ok_or_else(|| text.clone());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("an SMS that was promised did not come".to_owned())
}
