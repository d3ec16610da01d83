//! What may ask for a code, and what a right one does.

use std::sync::Arc;

use super::{
    base::Base,
    delivery::Delivery,
    limits::Limits,
    stores::{Databases, Stores},
};
use crate::{
    channel::Channel,
    flows::{Codes, Flows, LateReceipts, VerifyEmail, VerifyPhone},
};

pub(super) fn start(
    base: &Base<'_>,
    stores: &Stores,
    databases: &Databases,
    limits: &Limits,
    delivery: &Delivery,
) -> Flows {
    let settings = base.settings;
    let codes = Arc::new(Codes {
        challenges: stores.challenges.clone(),
        late_receipts: LateReceipts::start(
            stores.challenges.clone(),
            Arc::clone(&base.clock),
            settings.otp.ttl,
        ),
        limiter: limits.limiter.clone(),
        queue: delivery.queue.clone(),
        ledger: delivery.ledger.clone(),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    });
    Flows {
        verify_email: VerifyEmail {
            is_configured: delivery.queue.carries(Channel::Email),
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
        },
        verify_phone: VerifyPhone {
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
            countries: Arc::new(settings.countries.clone()),
            phone_kinds: settings.phone_kinds,
            test_numbers: Arc::new(settings.test_numbers.clone()),
        },
        codes,
    }
}
