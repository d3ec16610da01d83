//! Why a text is not a phone number.

use thiserror::Error;

/// Why a text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PhoneError {
    #[error(
        "Enter the number in international form: + and the country code first, for example +14152000001."
    )]
    NoCountryCode,
    #[error("A phone number has digits, spaces, and the characters ( ) [ ] - . / ~ only.")]
    ForeignCharacter,
    #[error("A phone number has 7 to 15 digits, country code included.")]
    Length,
    #[error("Leave out the (0): it is not dialled after a country code.")]
    TrunkPrefix,
    #[error("No number like this exists in its country.")]
    Implausible,
}
