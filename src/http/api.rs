//! What handlers call.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::{
    accounts::Accounts,
    flows::Otp,
    phone::PhoneCheck,
    readiness::Readiness,
    sms::{DevInbox, Texts, TwilioReceipts},
    telemetry::Metrics,
};

/// What handlers call; one for the whole service.
pub struct Api {
    pub accounts: Accounts,
    pub otp: Arc<Otp>,
    pub readiness: Readiness,
    /// Present where Twilio is asked for receipts.
    pub receipts: Option<TwilioReceipts>,
    /// Present in development without a provider.
    pub inbox: Option<DevInbox>,
    pub metrics: Metrics,
    /// What SMS say, for the language that suits a client best.
    pub texts: Arc<Texts>,
    pub phone_check: PhoneCheck,
    /// Peers whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The length of the IPv6 network that one client is.
    pub ipv6_prefix: u8,
    /// Origins whose pages may read answers, or `*` alone.
    pub cors_origins: Vec<String>,
    /// How long a client may take to send its body.
    pub body_timeout: Duration,
}
