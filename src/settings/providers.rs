//! Who carries SMS, and to which countries: `sms.providers`.

use super::reader::{Reader, Refused};
use crate::delivery::Countries;

const KEY: &str = "sms.providers";

/// A provider that can be configured, in the order in which they are preferred where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderName {
    Twilio,
    Vonage,
    Webhook,
}

impl ProviderName {
    const ALL: [Self; 3] = [Self::Twilio, Self::Vonage, Self::Webhook];

    /// Its name here, in logs and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Vonage => "vonage",
            Self::Webhook => "webhook",
        }
    }
}

/// An entry of the list: a provider, and where it is preferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    pub provider: ProviderName,
    pub countries: Countries,
}

impl RouteSettings {
    pub(super) fn read(reader: &mut Reader) -> Vec<Self> {
        reader.list(
            KEY,
            "providers such as \"twilio\", with countries such as \"twilio:US+CA\", or with all countries but some such \
             as \"twilio:!IN+PK\"",
            Self::parse,
        )
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        let (name, countries) = match text.split_once(':') {
            Some((name, countries)) => (name, Some(countries)),
            None => (text, None),
        };
        let known = ProviderName::ALL.iter().find(|known| known.name() == name);
        let provider = *known.ok_or_else(|| {
            let names = ProviderName::ALL.map(|known| known.name()).join(", ");
            Refused::because(format!("there is no provider of this name, but {names}"))
        })?;
        let countries = countries.map_or(Ok(Countries::All), Countries::parse);
        let countries = countries.map_err(|part| {
            Refused::because(format!("\"{part}\" is not the two capital letters of a country"))
        })?;
        Ok(Self { provider, countries })
    }

    /// The routes in force: those of the list, all of which have to be configured; every provider that is, where the
    /// list is empty.
    pub(super) fn in_force(listed: Vec<Self>, configured: &[ProviderName], reader: &mut Reader) -> Vec<Self> {
        if listed.is_empty() {
            let names: Vec<_> = configured.iter().map(|provider| provider.name()).collect();
            if !names.is_empty() {
                reader.note(KEY, format!("in force: {}", names.join(", ")));
            }
            let everywhere = |&provider| Self {
                provider,
                countries: Countries::All,
            };
            return configured.iter().map(everywhere).collect();
        }
        for provider in ProviderName::ALL {
            let is_listed = listed.iter().any(|entry| entry.provider == provider);
            if is_listed && !configured.contains(&provider) {
                reader.refuse(
                    KEY,
                    format!("must name configured providers, and {} is not", provider.name()),
                );
            }
        }
        listed
    }
}
