//! What handlers call.

use std::sync::Arc;

use crate::{
    accounts::{Sessions, SignIn},
    flows::Flows,
    http::options::ServerOptions,
    phone::PhoneCheck,
    readiness::Readiness,
    sms::{DevInbox, Texts, TwilioReceipts},
    telemetry::Metrics,
};

/// What handlers call; one for the whole service.
pub struct Api {
    pub sign_in: SignIn,
    pub sessions: Sessions,
    pub flows: Flows,
    pub readiness: Readiness,
    /// Present where Twilio is asked for receipts.
    pub receipts: Option<TwilioReceipts>,
    /// Present in development without a provider.
    pub inbox: Option<DevInbox>,
    /// Whether others than this machine see it.
    pub inbox_allows_remote: bool,
    pub metrics: Metrics,
    /// What SMS say, for the language that suits a client best.
    pub texts: Arc<Texts>,
    pub phone_check: PhoneCheck,
    /// What is taken from clients, and how long they may take.
    pub server: ServerOptions,
}
