//! Which addresses a code can go to at all, whatever it is for: said before anything is asked or counted, so that it is the
//! same with and without an account.

use std::sync::Arc;

use metrics::counter;

use super::error::{FlowError, Unsupported};
use crate::{
    delivery::{Countries, Destination},
    phone::{Country, PhoneKinds, PhoneNumber},
};

/// What codes are sent to.
#[derive(Debug, Clone)]
pub struct Supported {
    /// The countries whose phones may have one.
    pub countries: Arc<Countries>,
    /// What the phones are for that may have one.
    pub phone_kinds: PhoneKinds,
    /// Whether there is a way to send e-mail.
    pub email: bool,
}

impl Supported {
    /// Refuses an address that no code goes to; `country` is where a phone belongs.
    ///
    /// # Errors
    /// `PhoneNotSupported`, `MailNotConfigured`.
    pub(super) fn demand(&self, to: &Destination, country: Country) -> Result<(), FlowError> {
        match to {
            Destination::Phone(phone) => self.demand_phone(phone, country),
            Destination::Email(_) if self.email => Ok(()),
            Destination::Email(_) => Err(FlowError::MailNotConfigured),
        }
    }

    /// Whether a code may go to a phone.
    pub fn has(&self, phone: &PhoneNumber) -> bool {
        self.why_not(phone, phone.country()).is_none()
    }

    fn demand_phone(&self, phone: &PhoneNumber, country: Country) -> Result<(), FlowError> {
        let Some(why) = self.why_not(phone, country) else {
            return Ok(());
        };
        counter!("ringback_otp_not_supported_total", "country" => country.to_string(), "by" => why.label())
            .increment(1);
        Err(FlowError::PhoneNotSupported(why))
    }

    fn why_not(&self, phone: &PhoneNumber, country: Country) -> Option<Unsupported> {
        // To find the kind takes some microseconds, unless parsing the number did.
        let is_kind = || {
            self.phone_kinds == PhoneKinds::ALL || phone.kind().is_some_and(|kind| self.phone_kinds.fit(kind))
        };
        match self.countries.fits(country) {
            true if is_kind() => None,
            true => Some(Unsupported::Kind),
            false => Some(Unsupported::Country),
        }
    }
}
