//! What may ask for a code, and what a right one does.

use std::sync::Arc;

use super::{
    base::Base,
    delivery::Delivery,
    limits::Limits,
    stores::{Databases, Stores},
};
use crate::flows::Otp;

pub(super) fn verify_phone(
    base: &Base<'_>,
    stores: &Stores,
    databases: &Databases,
    limits: &Limits,
    delivery: &Delivery,
) -> Otp {
    let settings = base.settings;
    Otp {
        rules: settings.otp.clone(),
        countries: Arc::new(settings.countries.clone()),
        test_numbers: Arc::new(settings.test_numbers.clone()),
        challenges: Arc::clone(&stores.challenges),
        statuses: Arc::clone(&stores.statuses),
        courses: Arc::clone(&delivery.courses),
        ledger: delivery.ledger.clone(),
        proofs: Arc::clone(&databases.proofs),
        keyring: Arc::clone(&base.keyring),
        limiter: limits.limiter.clone(),
        queue: delivery.queue.clone(),
        lease: settings.dispatcher.lease,
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    }
}
