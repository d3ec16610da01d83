//! What may ask for a code, and what a right one does.

use std::sync::Arc;

use super::{
    accounts::Accounts,
    base::Base,
    delivery::Delivery,
    limits::Limits,
    stores::{Databases, Stores},
};
use crate::{
    accounts::RegisterCode,
    channel::Channel,
    flows::{
        AccountOpener, Administer, ChangeEmail, ChangePhone, Codes, Flows, LateReceipts, Register,
        ResetPassword, SignInByCode, Supported, VerifyEmail, VerifyPhone, begin_metrics,
    },
    settings::Environment,
};

pub(super) fn start(
    base: &Base<'_>,
    accounts: &Accounts,
    stores: &Stores,
    databases: &Databases,
    limits: &Limits,
    delivery: &Delivery,
) -> Flows {
    let settings = base.settings;
    let codes = Arc::new(codes(base, stores, limits, delivery));
    let opener = opener(base, accounts, databases, delivery, &codes);
    begin_metrics();
    Flows {
        administer: Administer {
            codes: Arc::clone(&codes),
            administrators: Arc::clone(&databases.administrators),
            sessions: accounts.sessions.clone(),
            supported: opener.supported.clone(),
            test_numbers: Arc::clone(&opener.test_numbers),
            ttl: settings.admin.session_ttl,
        },
        reset_password: ResetPassword {
            opener: opener.clone(),
            hasher: accounts.sign_in.hasher.clone(),
        },
        sign_in_by_code: SignInByCode {
            opener: opener.clone(),
            sessions: accounts.sessions.clone(),
        },
        change_email: ChangeEmail {
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
            changes: Arc::clone(&databases.changes),
            own_password: accounts.own_password.clone(),
            supported: opener.supported.clone(),
        },
        change_phone: ChangePhone {
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
            changes: Arc::clone(&databases.changes),
            own_password: accounts.own_password.clone(),
            supported: opener.supported.clone(),
            test_numbers: Arc::clone(&opener.test_numbers),
        },
        register: Register {
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
            sign_in: accounts.sign_in.clone(),
            supported: opener.supported.clone(),
            needs_code: settings.accounts.register_code == RegisterCode::Required,
        },
        verify_email: VerifyEmail {
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
            openings: Arc::clone(&databases.openings),
            rules: settings.openings,
            supported: opener.supported.clone(),
        },
        verify_phone: VerifyPhone {
            codes: Arc::clone(&codes),
            proofs: Arc::clone(&databases.proofs),
            changes: Arc::clone(&databases.changes),
            openings: Arc::clone(&databases.openings),
            rules: settings.openings,
            supported: opener.supported,
            test_numbers: opener.test_numbers,
        },
        codes,
    }
}

/// What opens accounts by an address.
fn opener(
    base: &Base<'_>,
    accounts: &Accounts,
    databases: &Databases,
    delivery: &Delivery,
    codes: &Arc<Codes>,
) -> AccountOpener {
    let settings = base.settings;
    AccountOpener {
        codes: Arc::clone(codes),
        openings: Arc::clone(&databases.openings),
        networks: accounts.sign_in.networks.clone(),
        supported: Supported {
            countries: Arc::new(settings.countries.clone()),
            phone_kinds: settings.phone_kinds,
            email: delivery.queue.carries(Channel::Email),
        },
        test_numbers: Arc::new(settings.test_numbers.clone()),
        rules: settings.openings,
    }
}

/// What all flows share.
fn codes(base: &Base<'_>, stores: &Stores, limits: &Limits, delivery: &Delivery) -> Codes {
    Codes {
        challenges: stores.challenges.clone(),
        late_receipts: LateReceipts::start(
            stores.challenges.clone(),
            Arc::clone(&base.clock),
            base.settings.otp.ttl,
        ),
        limiter: limits.limiter.clone(),
        queue: delivery.queue.clone(),
        ledger: delivery.ledger.clone(),
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
        tells_decoys: base.settings.env == Environment::Development,
    }
}
