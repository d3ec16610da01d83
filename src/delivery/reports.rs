//! Who is told what became of each message.

use uuid::Uuid;

use crate::{partition::SlotAddress, phone::Country, provider::StatusUpdate};

/// Takes reports, off the way of every request. MUST NOT block, and answers nothing: a report that has no place is
/// dropped and counted.
pub trait DeliveryReports: Send + Sync {
    fn report(&self, report: DeliveryReport);
}

/// Nobody is told.
impl DeliveryReports for () {
    fn report(&self, _: DeliveryReport) {}
}

/// What became of one message with the provider: it took it or refused it for good. What the networks made of it comes
/// later, as a receipt. Holds no address and no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    pub challenge_id: Uuid,
    pub user_id: Option<Uuid>,
    /// Where its challenge is kept.
    pub address: SlotAddress,
    pub country: Country,
    /// Who carried it, or refused to.
    pub provider: &'static str,
    pub update: StatusUpdate,
}
