//! A provider of SMS over real HTTP: Twilio's Messages resource, with the faults that a test asks for.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};

/// A call that the provider got.
#[derive(Debug, Clone)]
pub struct Call {
    pub path: String,
    pub authorization: String,
    pub form: Vec<(String, String)>,
}

#[derive(Default)]
struct State {
    calls: Mutex<Vec<Call>>,
    /// Status and Twilio code of every answer to come; none is 201.
    fault: Mutex<Option<(u16, u32)>>,
    /// Milliseconds before each answer.
    delay: AtomicU64,
    refused: AtomicU64,
}

pub struct Provider {
    pub url: String,
    state: web::Data<State>,
}

impl Provider {
    pub async fn start() -> Self {
        let state = web::Data::new(State::default());
        let shared = state.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(messages))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        Self { url, state }
    }

    /// Every SMS that was accepted, the oldest first: number and text.
    pub fn messages(&self) -> Vec<(String, String)> {
        let field = |call: &Call, name: &str| {
            call.form
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        self.calls()
            .iter()
            .map(|call| (field(call, "To"), field(call, "Body")))
            .collect()
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    /// Answers every call to come with this status and Twilio error code; `None` ends it.
    pub fn fail(&self, fault: Option<(u16, u32)>) {
        *self.state.fault.lock().unwrap() = fault;
    }

    /// How many calls were answered with a fault.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// Lets every call to come wait before it is answered.
    pub fn delay(&self, delay: Duration) {
        self.state
            .delay
            .store(delay.as_millis() as u64, Ordering::Relaxed);
    }
}

async fn messages(
    state: web::Data<State>,
    request: HttpRequest,
    form: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let call = Call {
        path: request.path().to_owned(),
        authorization: header("authorization").unwrap_or_default(),
        form: form.into_inner(),
    };
    tokio::time::sleep(Duration::from_millis(state.delay.load(Ordering::Relaxed))).await;
    let fault = *state.fault.lock().unwrap();
    match fault {
        Some((status, code)) => {
            state.refused.fetch_add(1, Ordering::SeqCst);
            HttpResponse::build(StatusCode::from_u16(status).unwrap())
                .json(serde_json::json!({ "status": status, "code": code, "message": "a fault" }))
        }
        None => {
            let mut calls = state.calls.lock().unwrap();
            calls.push(call);
            HttpResponse::Created()
                .json(serde_json::json!({ "sid": format!("SM{:032}", calls.len()), "status": "queued" }))
        }
    }
}
