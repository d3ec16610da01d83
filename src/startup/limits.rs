//! The rules that requests are admitted by.

use std::sync::Arc;

use super::{StartError, base::Base, stores::Stores};
use crate::{
    limits::{self, FileError, Limiter, LimitsWatch, RuleSet},
    settings::Settings,
};

/// The rules that the program carries: active where no limits file is at hand.
const SHIPPED: &str = include_str!("../../config/limits.toml");

/// The limiter, and what watches its file.
pub(super) struct Limits {
    pub(super) limiter: Limiter,
    pub(super) watch: Option<LimitsWatch>,
}

pub(super) fn start(base: &Base<'_>, stores: &Stores) -> Result<Limits, StartError> {
    let limiter = Limiter::start(
        &base.supervision,
        base.settings.limits.limiter,
        limit_rules(base.settings)?,
        Arc::clone(&stores.counters),
        Arc::clone(&base.clock),
    );
    let watched =
        |file| LimitsWatch::start(&base.supervision, file, limiter.clone(), Arc::clone(&base.clock));
    let watch = base.settings.limits.file.as_deref().map(watched);
    Ok(Limits { limiter, watch })
}

/// The rules that the configuration names; those that the program carries, where it names none.
///
/// # Errors
/// Every fault of the file.
pub fn limit_rules(settings: &Settings) -> Result<RuleSet, FileError> {
    match &settings.limits.file {
        Some(file) => limits::file::load(file),
        None => limits::file::parse(SHIPPED, "the limits that the program carries"),
    }
}
