//! The files that the configuration names beside itself: read before anything is connected to, so that a fault in one of
//! them leaves the database as it is.

use std::path::Path;

use super::{error::StartError, stores};
use crate::{
    accounts::PasswordRules,
    limits::{self, FileError, Networks, Prices, PricesError, RuleSet},
    redis::RedisLink,
    settings::Settings,
};

/// The rules that the program carries: active where no limits file is at hand.
const SHIPPED: &str = include_str!("../../config/limits.toml");

/// What was read.
pub(super) struct Files {
    pub(super) rules: RuleSet,
    pub(super) prices: Prices,
    /// The list of stolen passwords is opened and checked.
    pub(super) password_rules: PasswordRules,
}

impl Files {
    /// Reads all of them, those of certificates too; connects nowhere.
    ///
    /// # Errors
    /// [`StartError::Files`]: what is wrong in any of them.
    pub(super) fn read(settings: &Settings) -> Result<Self, StartError> {
        let mut faults: Vec<StartError> = Vec::new();
        let prices = noted(prices(settings), &mut faults);
        let brand = settings.texts.brand.as_str();
        let password_rules = noted(PasswordRules::new(&settings.password_rules, brand), &mut faults);
        noted(stores::check_database(settings), &mut faults);
        noted(
            settings.redis.as_ref().map(RedisLink::open).transpose(),
            &mut faults,
        );
        let rules = noted(rules(settings, prices.as_ref()), &mut faults);
        match (rules, prices, password_rules) {
            (Some(rules), Some(prices), Some(password_rules)) if faults.is_empty() => Ok(Self {
                rules,
                prices,
                password_rules,
            }),
            _ => Err(StartError::Files(faults)),
        }
    }
}

/// What was read; a fault is noted.
fn noted<T, E: Into<StartError>>(read: Result<T, E>, faults: &mut Vec<StartError>) -> Option<T> {
    read.map_err(|fault| faults.push(fault.into())).ok()
}

/// The rules that the configuration names; those that the program carries, where it names none. In the currency of the
/// prices, where those could be read.
///
/// # Errors
/// Every fault of the file.
pub fn limit_rules(settings: &Settings) -> Result<RuleSet, FileError> {
    // Whoever needs the prices tells what is wrong with them.
    rules(settings, prices(settings).ok().as_ref())
}

/// The rules of another limits file, with the lists of networks and in the currency of the prices that this process is configured
/// with, where it is.
///
/// # Errors
/// Every fault of the file.
pub fn limit_rules_of(file: &Path) -> Result<RuleSet, FileError> {
    let settings = Settings::load_from_process().ok();
    let networks = settings
        .as_ref()
        .and_then(|settings| settings.limits.networks.as_deref());
    let rules = limits::file::load(file, networks)?;
    let prices = settings.as_ref().map_or_else(|| Ok(Prices::shipped()), prices);
    in_currency(rules, prices.ok().as_ref(), &file.display().to_string())
}

fn rules(settings: &Settings, prices: Option<&Prices>) -> Result<RuleSet, FileError> {
    let networks = settings.limits.networks.as_deref();
    let (rules, name) = match &settings.limits.file {
        Some(file) => (limits::file::load(file, networks)?, file.display().to_string()),
        None => {
            let name = "the limits that the program carries";
            let networks = networks.map(Networks::load).transpose()?.unwrap_or_default();
            (
                limits::file::parse_with(SHIPPED, name, networks)?,
                name.to_owned(),
            )
        }
    };
    in_currency(rules, prices, &name)
}

fn in_currency(rules: RuleSet, prices: Option<&Prices>, name: &str) -> Result<RuleSet, FileError> {
    match prices {
        Some(prices) => limits::file::fitting(rules, prices.currency, name),
        None => Ok(rules),
    }
}

/// The prices that the configuration names; those that the program carries, where it names none.
///
/// # Errors
/// The first fault of the file.
pub fn prices(settings: &Settings) -> Result<Prices, PricesError> {
    match &settings.limits.prices {
        Some(file) => Prices::load(file),
        None => Ok(Prices::shipped()),
    }
}
