//! Who is told what became of each SMS.

use uuid::Uuid;

use crate::{partition::SlotAddress, phone::Country};

/// Takes reports, off the way of every request. MUST NOT block, and answers nothing: a report that has no place is
/// dropped and counted.
pub trait SmsReports: Send + Sync {
    fn report(&self, report: SmsReport);

    /// So many SMS are this process's to send no more, whatever became of them. MUST NOT block.
    fn ended(&self, count: usize);
}

/// Nobody is told.
impl SmsReports for () {
    fn report(&self, _: SmsReport) {}

    fn ended(&self, _: usize) {}
}

/// What became of one SMS. Holds no phone number and no code.
#[derive(Debug, Clone, PartialEq)]
pub struct SmsReport {
    pub challenge_id: Uuid,
    pub user_id: Uuid,
    /// Where its challenge is kept.
    pub address: SlotAddress,
    pub country: Country,
    /// Who carried it, or refused to.
    pub provider: &'static str,
    pub state: SmsState,
}

/// How far an SMS has come on its way to the provider. What the networks made of it comes later, as a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmsState {
    /// The provider took it. The id may be empty if the provider told none.
    Sent { provider_id: String },
    /// The provider refused it for good, by its own error code if it gave one.
    Failed { code: Option<u32> },
}
