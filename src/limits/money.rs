//! What messages cost: rules that count money spend by it.

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Deserialize;
use thiserror::Error;

use super::fault::{FileError, read};
use crate::{phone::Country, provider::Price};

/// The units of an amount: ten-thousandths of the currency.
pub const PER_ONE: u32 = 10_000;
/// What one message may cost at most, in units: what a counter can be told to spend.
const MAX_PRICE: u32 = 100 * PER_ONE;

/// The prices that the program carries.
const SHIPPED: &str = include_str!("../../config/sms_prices.toml");

/// A currency by its three letters of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Takes three upper-case letters.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads an amount such as `25 USD` or `0.5 USD`: its units, and the currency.
pub fn parse_amount(text: &str) -> Option<(u32, Currency)> {
    let (number, currency) = text.split_once(' ')?;
    let units = units(number).filter(|&units| units > 0)?;
    Some((units, Currency::parse(currency)?))
}

/// An amount as it is written.
pub fn amount_text(units: u32, currency: Currency) -> String {
    format!("{} {currency}", number_text(units))
}

/// The number of an amount: `0.5`, `25`.
fn number_text(units: u32) -> String {
    let (whole, rest) = (units / PER_ONE, units % PER_ONE);
    match rest {
        0 => whole.to_string(),
        _ => format!("{whole}.{}", format!("{rest:04}").trim_end_matches('0')),
    }
}

/// A number with four digits at most behind its point, in units.
fn units(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || rest.len() > 4 || !is_number(whole) || !is_number(rest) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let rest: u32 = format!("{rest:0<4}").parse().ok()?;
    whole.checked_mul(PER_ONE)?.checked_add(rest)
}

/// What is wrong with a file of prices.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}: {what}")]
pub struct PricesError {
    file: String,
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PricesFile {
    currency: String,
    #[expect(dead_code, reason = "for people")]
    dated: String,
    default: String,
    #[serde(default)]
    country: HashMap<String, String>,
}

/// Prices of an SMS by country.
#[derive(Debug)]
pub struct Prices {
    pub currency: Currency,
    table: RwLock<Table>,
    /// Whether their file was refused when it was read last.
    is_file_faulty: AtomicBool,
}

#[derive(Debug)]
struct Table {
    default: u32,
    /// Those of the file, and what receipts said since.
    by_country: HashMap<Country, u32>,
}

impl Prices {
    /// Those that the program carries. Where somebody broke them, every message is as dear as can be.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED, "the prices that the program carries").unwrap_or_else(|_| Self {
            currency: Currency(*b"USD"),
            table: RwLock::new(Table {
                default: MAX_PRICE,
                by_country: HashMap::new(),
            }),
            is_file_faulty: AtomicBool::default(),
        })
    }

    /// Reads a file of prices. Blocks.
    ///
    /// # Errors
    /// The first fault.
    pub fn load(path: &Path) -> Result<Self, PricesError> {
        let name = path.display().to_string();
        match read(path) {
            Ok(text) => Self::parse(&text, &name),
            Err(FileError::Unreadable { file, why: what }) => Err(PricesError { file, what }),
            Err(error) => Err(PricesError {
                file: name,
                what: error.to_string(),
            }),
        }
    }

    /// Reads prices; `name` is what faults call the file.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &str, name: &str) -> Result<Self, PricesError> {
        let fault = |what: String| PricesError {
            file: name.to_owned(),
            what,
        };
        let file: PricesFile = toml::from_str(text).map_err(|error| {
            let before = error
                .span()
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            fault(format!(
                "line {}: {}",
                before.lines().count().max(1),
                error.message()
            ))
        })?;
        let price = |of: &str, text: &str| {
            let wrong = || fault(format!("{of} = {text:?}; allowed: \"0.0001\" to \"100\""));
            units(text)
                .filter(|units| (1..=MAX_PRICE).contains(units))
                .ok_or_else(wrong)
        };
        let currency = Currency::parse(&file.currency);
        let currency = currency
            .ok_or_else(|| fault(format!("currency = {:?}; allowed: three capitals", file.currency)))?;
        let mut by_country = HashMap::new();
        for (name, text) in &file.country {
            let country = Country::parse(name).filter(|country| country.is_known());
            let country = country.ok_or_else(|| fault(format!("no such country: {name}")))?;
            by_country.insert(country, price(name, text)?);
        }
        Ok(Self {
            currency,
            table: RwLock::new(Table {
                default: price("default", &file.default)?,
                by_country,
            }),
            is_file_faulty: AtomicBool::default(),
        })
    }

    /// What a message to a country costs, in units.
    pub fn units(&self, country: Country) -> u32 {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.by_country.get(&country).copied().unwrap_or(table.default)
    }

    /// Takes the prices of another file, which have to be in the same currency.
    ///
    /// # Errors
    /// The currency of the others.
    pub fn replace(&self, others: Self) -> Result<(), Currency> {
        if others.currency != self.currency {
            return Err(others.currency);
        }
        let others = others.table.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = others;
        Ok(())
    }

    /// Notes whether their file was refused, and those of before stay.
    pub fn note_file(&self, is_faulty: bool) {
        self.is_file_faulty.store(is_faulty, Ordering::Relaxed);
        metrics::gauge!("ringback_limits_prices_faulty").set(f64::from(u8::from(is_faulty)));
    }

    /// Whether their file was refused when it was read last.
    pub fn is_file_faulty(&self) -> bool {
        self.is_file_faulty.load(Ordering::Relaxed)
    }

    /// Goes by what a receipt says from now on. One in another currency says nothing.
    pub fn learn(&self, country: Country, price: &Price) {
        // Rounded up, and none of what is no price.
        let micros = u64::try_from(price.micros).unwrap_or_default();
        let units = u32::try_from(micros.div_ceil(1_000_000 / u64::from(PER_ONE))).unwrap_or_default();
        if price.currency != self.currency.as_str() || !(1..=MAX_PRICE).contains(&units) {
            return;
        }
        if self.units(country) != units {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            table.by_country.insert(country, units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let usd = Currency(*b"USD");
        for (text, units) in [
            ("25 USD", 250_000),
            ("0.5 USD", 5_000),
            ("0.0083 USD", 83),
            ("100000 USD", 1_000_000_000),
        ] {
            assert_eq!(parse_amount(text), Some((units, usd)), "{text}");
            assert_eq!(amount_text(units, usd), text);
        }
        for nonsense in [
            "",
            "25",
            "25USD",
            "25 usd",
            "0 USD",
            "-1 USD",
            "1.00001 USD",
            ".5 USD",
            "1e3 USD",
            "500000 USD",
        ] {
            assert_eq!(parse_amount(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_country_that_is_not_listed_is_dear_and_receipts_correct_a_price() {
        let prices = Prices::parse(SHIPPED, "shipped").unwrap();
        let country = |text| Country::parse(text).unwrap();
        assert_eq!(prices.units(country("US")), 120);
        assert_eq!(prices.units(country("TJ")), 4000);
        let price = |micros, currency: &str| Price {
            micros,
            currency: currency.to_owned(),
        };
        prices.learn(country("TJ"), &price(250_001, "USD"));
        assert_eq!(prices.units(country("TJ")), 2501, "rounded up");
        for wrong in [
            price(10_000, "EUR"),
            price(0, "USD"),
            price(-5, "USD"),
            price(i64::MAX, "USD"),
        ] {
            prices.learn(country("TJ"), &wrong);
        }
        assert_eq!(prices.units(country("TJ")), 2501);
    }

    #[test]
    fn faulty_prices_are_refused() {
        let with = |text: &str| Prices::parse(text, "p.toml").unwrap_err().to_string();
        let head = "currency = 'USD'\ndated = '2026-11-01'\n";
        assert!(with(&format!("{head}default = '0'")).contains("default = \"0\"; allowed"));
        assert!(with(&format!("{head}default = '1'\n[country]\nXX = '1'")).contains("no such country: XX"));
        assert!(with(&format!("{head}default = '1'\nother = 1")).contains("other"));
        assert!(with("currency = 'dollars'\ndated = ''\ndefault = '1'").contains("currency"));
    }
}
