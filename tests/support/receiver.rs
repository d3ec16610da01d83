//! A receiver of webhooks over real HTTP, with the faults that a test asks for.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use serde_json::Value;

/// A webhook as it came.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub text: String,
    pub body: Value,
}

#[derive(Default)]
struct State {
    calls: Mutex<Vec<Webhook>>,
    /// The status of every answer to come, for those whose text has this; none is 204.
    fault: Mutex<Option<(u16, String)>>,
    delay: AtomicU64,
    refused: AtomicU64,
}

pub struct Receiver {
    pub url: String,
    state: web::Data<State>,
}

impl Receiver {
    pub async fn start() -> Self {
        let state = web::Data::new(State::default());
        let shared = state.clone();
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(take)));
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        Self { url, state }
    }

    /// All that was taken, in the order in which it came.
    pub fn taken(&self) -> Vec<Webhook> {
        self.state.calls.lock().unwrap().clone()
    }

    /// Refuses what has this text in it with this status; `None` ends it.
    pub fn fail(&self, fault: Option<(u16, &str)>) {
        *self.state.fault.lock().unwrap() = fault.map(|(status, text)| (status, text.to_owned()));
    }

    /// How many were refused.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// Lets every call to come wait before it is answered; it is taken before.
    pub fn delay(&self, delay: Duration) {
        self.state
            .delay
            .store(delay.as_millis() as u64, Ordering::Relaxed);
    }
}

async fn take(state: web::Data<State>, request: HttpRequest, text: String) -> HttpResponse {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    let fault = state.fault.lock().unwrap().clone();
    if let Some((status, _)) = fault.filter(|(_, part)| text.contains(part)) {
        state.refused.fetch_add(1, Ordering::SeqCst);
        return HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish();
    }
    let webhook = Webhook {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: serde_json::from_str(&text).unwrap(),
        text,
    };
    state.calls.lock().unwrap().push(webhook);
    tokio::time::sleep(Duration::from_millis(state.delay.load(Ordering::Relaxed))).await;
    HttpResponse::NoContent().finish()
}
