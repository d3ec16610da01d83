//! What an operator should know, though the service runs: said at the start, and by `config check`.

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::error::numbers;
use crate::{
    database::Schema,
    delivery::Countries,
    flows::TestNumbers,
    limits::RuleSet,
    phone::Country,
    settings::{Environment, Settings},
};

/// Says it in the log.
pub(super) fn tell(settings: &Settings, rules: &RuleSet, now: DateTime<Utc>) {
    for warning in of(settings, rules) {
        tracing::warn!("{warning}");
    }
    tell_of_test_numbers(&settings.test_numbers, now);
}

/// A line for each thing.
pub(super) fn of(settings: &Settings, rules: &RuleSet) -> Vec<String> {
    let mut warnings = Vec::new();
    for (language, segments) in settings.texts.sms.long() {
        let language = language.as_str();
        warnings.push(format!(
            "Each SMS in {language:?} takes {segments} segments, and is paid for as often."
        ));
    }
    if settings.mail.is_none() && settings.env == Environment::Production {
        warnings.push(
            "No mail server is set (SMTP_URL, RINGBACK__MAIL__FROM): requests for an e-mail are answered 503.".to_owned(),
        );
    }
    warnings.extend(territories(&settings.countries));
    if rules.rules().is_empty() {
        warnings.push("limits.file has no rule: nothing is limited.".to_owned());
    }
    let proxies = IpNet::aggregate(&settings.server.trusted_proxies);
    if proxies.iter().any(|network| network.prefix_len() == 0) {
        warnings.push(
            "server.trusted_proxies has all addresses: every client chooses the address that it is counted by.".to_owned(),
        );
    }
    let ops = settings.server.ops_bind.ip();
    if !ops.is_loopback() && (ops.is_unspecified() || settings.server.ops_token.is_none()) {
        let guard = match settings.server.ops_token {
            Some(_) => "metrics are readable by whoever reaches it",
            None => "whoever reaches it reads metrics and gives quotas back, as server.ops_token is not set",
        };
        let reach = match ops.is_unspecified() {
            true => "listens on all addresses",
            false => "is reached from other machines",
        };
        warnings.push(format!("server.ops_bind {reach}: {guard}."));
    }
    if !settings.admin.bind.ip().is_loopback() && settings.admin.public_url.is_none() {
        warnings.push(
            "admin.bind is reached from other machines and admin.public_url is not set: administrators' passwords and cookies \
             are readable on the way, unless a proxy with TLS stands before it."
                .to_owned(),
        );
    }
    if settings.inbox.allow_remote && settings.routes.is_empty() {
        warnings.push("inbox.allow_remote shows every code to whoever reaches the service.".to_owned());
    }
    warnings
}

/// A newer version has been at work on the database.
pub(super) fn of_newer_tables(schema: &Schema) -> Option<String> {
    let newer = (!schema.newer.is_empty()).then(|| numbers(&schema.newer))?;
    Some(format!(
        "A newer version has migrated the database ({newer}). This one runs on it, if it is the one before: docs/operations.md."
    ))
}

/// Which people a list of countries leaves out, though it may seem to have them.
fn territories(countries: &Countries) -> Option<String> {
    let Countries::Only(allowed) = countries else {
        return None;
    };
    let missing = |country: &Country| {
        let territories = country
            .territories()
            .filter(|territory| !allowed.contains(territory));
        let names: Vec<_> = territories.map(|territory| territory.to_string()).collect();
        (!names.is_empty()).then(|| format!("{country} has {}", names.join(", ")))
    };
    let missing: Vec<_> = allowed.iter().filter_map(missing).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join("; ");
        format!("sms.countries_allow leaves territories out, which are listed by themselves: {missing}.")
    })
}

/// There are phones that anyone can verify, or there were.
fn tell_of_test_numbers(numbers: &TestNumbers, now: DateTime<Utc>) {
    let count = numbers.count();
    if count == 0 {
        return;
    }
    match numbers.is_in_force(now) {
        true => tracing::warn!(test_numbers.count = count, "anyone can verify the test numbers"),
        false => tracing::warn!(
            test_numbers.count = count,
            "the test numbers are over: test_numbers.until is past"
        ),
    }
}
