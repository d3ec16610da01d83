//! Which provider may carry messages to which countries.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

use super::Message;
use crate::{
    channel::Channel,
    mail::EmailMessage,
    phone::Country,
    provider::{FailureKind, FailureReason, LookupResult, Outcome, Provider},
    sms::SmsMessage,
};

/// A provider of one of the channels.
#[derive(Clone)]
pub enum ChannelProvider {
    Sms(Arc<dyn Provider<SmsMessage>>),
    Email(Arc<dyn Provider<EmailMessage>>),
}

impl ChannelProvider {
    pub fn channel(&self) -> Channel {
        match self {
            Self::Sms(_) => Channel::Sms,
            Self::Email(_) => Channel::Email,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sms(provider) => provider.name(),
            Self::Email(provider) => provider.name(),
        }
    }

    pub(super) fn server(&self) -> Option<String> {
        match self {
            Self::Sms(provider) => provider.server(),
            Self::Email(provider) => provider.server(),
        }
    }

    pub(super) async fn send(&self, message: &Message) -> Outcome {
        match (self, message) {
            (Self::Sms(provider), Message::Sms(message)) => provider.send(message).await,
            (Self::Email(provider), Message::Email(message)) => provider.send(message).await,
            // The router takes a provider of the entry's channel, and the message is of that channel by its contract.
            _ => Outcome::Permanent {
                reason: FailureReason::of(FailureKind::Request),
            },
        }
    }

    pub(super) async fn look_up(&self, message: &Message, since: DateTime<Utc>) -> LookupResult {
        match (self, message) {
            (Self::Sms(provider), Message::Sms(message)) => provider.look_up(message, since).await,
            (Self::Email(provider), Message::Email(message)) => provider.look_up(message, since).await,
            _ => LookupResult::Unknown,
        }
    }
}

/// A way for messages. The order of several is the order in which they are preferred; a provider may stand in more than one,
/// with other countries, and has one pace and one bound in all of them.
#[derive(Clone)]
pub struct Route {
    pub provider: ChannelProvider,
    pub countries: Countries,
    /// Calls to the provider in any one second, at most; 0 is no bound. The first route of a provider says it.
    pub max_per_second: u32,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({} {:?})", self.provider.name(), self.countries)
    }
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Countries {
    All,
    Only(Vec<Country>),
    Except(Vec<Country>),
}

impl Countries {
    /// Reads `US+CA`, or `!IN+PK` for all but these.
    ///
    /// # Errors
    /// The part that is no country.
    pub fn parse(text: &str) -> Result<Self, &str> {
        let (list, build): (_, fn(Vec<Country>) -> Self) = match text.strip_prefix('!') {
            Some(list) => (list, Self::Except),
            None => (text, Self::Only),
        };
        let country = |part| {
            let country = Country::parse(part).filter(|country| country.is_known());
            country.ok_or(part)
        };
        list.split('+').map(country).collect::<Result<_, _>>().map(build)
    }

    /// Whether it leads there.
    pub fn fits(&self, country: Country) -> bool {
        match self {
            Self::All => true,
            Self::Only(countries) => countries.contains(&country),
            Self::Except(countries) => !countries.contains(&country),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_named_or_excluded() {
        let [us, ca, india] = ["US", "CA", "IN"].map(|code| Country::parse(code).unwrap());
        let fitting = |text| {
            let countries = Countries::parse(text).unwrap();
            [us, ca, india, Country::UNKNOWN].map(|country| countries.fits(country))
        };
        assert_eq!(fitting("US"), [true, false, false, false]);
        assert_eq!(fitting("US+CA"), [true, true, false, false]);
        assert_eq!(fitting("!IN"), [true, true, false, true]);
        assert_eq!(fitting("!IN+ZZ"), [true, true, false, false]);
        assert!(Countries::All.fits(Country::UNKNOWN));
    }

    #[test]
    fn what_is_no_country_is_told() {
        for (text, part) in [
            ("", ""),
            ("!", ""),
            ("us", "us"),
            ("US+", ""),
            ("US+!IN", "!IN"),
            ("US CA", "US CA"),
            ("USA", "USA"),
            ("US+XX", "XX"),
        ] {
            assert_eq!(Countries::parse(text), Err(part), "{text}");
        }
    }
}
