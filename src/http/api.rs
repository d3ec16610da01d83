//! What handlers call.

use std::sync::Arc;

use crate::{
    accounts::{Leave, OwnPassword, PasswordRules, Profiles, Sessions, SignIn},
    admin::Administration,
    delivery::ReceiptReaders,
    events::RefusalTally,
    flows::Flows,
    http::options::{AdminOptions, ServerOptions},
    inbox::DevInbox,
    mail,
    phone::PhoneCheck,
    readiness::Readiness,
    sms,
    telemetry::Metrics,
};

/// What handlers call; one for the whole service.
pub struct Api {
    pub sign_in: SignIn,
    pub sessions: Sessions,
    pub own_password: OwnPassword,
    pub profiles: Profiles,
    pub leave: Leave,
    pub admin: Administration,
    /// Which passwords may be set.
    pub password_rules: PasswordRules,
    pub flows: Flows,
    pub readiness: Readiness,
    /// Of the providers that are asked for receipts.
    pub receipts: ReceiptReaders,
    /// Present in development where a channel has no provider.
    pub inbox: Option<DevInbox>,
    /// Whether others than this machine see it.
    pub inbox_allows_remote: bool,
    /// What was refused is counted here.
    pub refusals: RefusalTally,
    pub metrics: Metrics,
    /// What messages say, for the language that suits a client best.
    pub sms_texts: Arc<sms::Texts>,
    pub mail_texts: Arc<mail::Texts>,
    pub phone_check: PhoneCheck,
    /// What is taken from clients, and how long they may take.
    pub server: ServerOptions,
    /// Where administrators come in.
    pub admin_options: AdminOptions,
}
