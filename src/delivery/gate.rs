//! What the handles of the dispatcher know of its providers without asking it.

use std::sync::{PoisonError, RwLock};

use tokio::time::Instant;

use super::{
    Countries, Health,
    router::{ProviderId, Router},
};
use crate::{channel::Channel, phone::Country};

/// How a provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderStatus {
    pub channel: Channel,
    pub name: &'static str,
    pub health: Health,
}

/// What is known of a provider.
#[derive(Debug)]
struct ProviderState {
    channel: Channel,
    name: &'static str,
    health: Health,
    /// From when on it is worth to issue codes for it; none while a probe decides.
    opens: Option<Instant>,
}

/// Lets codes be issued for as long as somebody may take their messages. Written only when a provider's health turns.
#[derive(Debug)]
pub(super) struct Gate {
    routes: Vec<(ProviderId, Countries)>,
    states: RwLock<Vec<ProviderState>>,
}

impl Gate {
    pub fn of(router: &Router, now: Instant) -> Self {
        let state = |provider| ProviderState {
            channel: router.channel(provider),
            name: router.name(provider),
            health: router.health(provider),
            opens: router.admits_from(provider, now),
        };
        Self {
            routes: router.routes().to_vec(),
            states: RwLock::new((0..router.count()).map(state).collect()),
        }
    }

    /// Takes a turn of a provider in.
    pub fn tell(&self, provider: ProviderId, health: Health, opens: Option<Instant>) {
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        states[provider].health = health;
        states[provider].opens = opens;
    }

    /// Whether any provider carries messages of this channel.
    pub fn carries(&self, channel: Channel) -> bool {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        states.iter().any(|state| state.channel == channel)
    }

    /// Who would carry a code by this channel to this country now, so that it may be issued; else, why not.
    pub fn admits(
        &self,
        channel: Channel,
        country: Country,
        now: Instant,
    ) -> Result<&'static str, &'static str> {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        let mut why = "no route leads to this country";
        let fitting = |(provider, countries): &&(ProviderId, Countries)| {
            states[*provider].channel == channel && countries.fits(country)
        };
        for (provider, _) in self.routes.iter().filter(fitting) {
            if states[*provider].opens.is_some_and(|opens| opens <= now) {
                return Ok(states[*provider].name);
            }
            why = "stopped, until it takes messages again";
        }
        Err(why)
    }

    /// How each provider does.
    pub fn health(&self) -> Vec<ProviderStatus> {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        let status = |state: &ProviderState| ProviderStatus {
            channel: state.channel,
            name: state.name,
            health: state.health,
        };
        states.iter().map(status).collect()
    }
}
