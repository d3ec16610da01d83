//! Which provider carries which message: the routes, and the state of the providers behind them. No I/O, time as a value.
//!
//! A message takes the first route of its channel whose countries fit, whose provider is let by its breaker, and that has
//! room: in its pace, and among its calls in flight. One that has no room is not waited for while another has; where none
//! has, whichever is first to have some is taken. The provider whose last message to this address did not arrive is
//! considered only where the breakers of all others are shut, or nobody else fits; so are, after that one, those that are
//! deprioritized for this very message.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::{
    ChannelProvider, Countries, OutboxEntry, Route,
    breaker::{Access, Breaker, Health, Observation, Pauses},
    pace::Pace,
};
use crate::{channel::Channel, phone::Country};

/// The number of a provider here.
pub(super) type ProviderId = usize;

/// A provider as calls to it see it.
#[derive(Debug)]
struct ProviderState {
    channel: Channel,
    name: &'static str,
    breaker: Breaker,
    pace: Pace,
}

/// What a delivery waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// To ask this provider whether it has the message already.
    LookUp(ProviderId),
    /// To be sent by one of these, the preferred first; by the spare one if they are all shut.
    Send {
        providers: Vec<ProviderId>,
        spare: Option<ProviderId>,
        /// Those that did not want it before, see [`super::tracked::Tracked`]: only if all others are shut, too.
        deprioritized: BTreeSet<ProviderId>,
        /// Those that failed over it when it was to tell how they do: there others may tell first.
        failed_probes: BTreeSet<ProviderId>,
    },
}

/// What there is for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Provider(ProviderId),
    NotBefore(Instant),
    /// Until a call ends.
    Later,
}

#[derive(Debug)]
pub(super) struct Router {
    providers: Vec<ProviderState>,
    routes: Vec<(ProviderId, Countries)>,
    /// Calls on one provider at a time.
    in_flight: usize,
    /// How long a message rests that a provider refuses though it takes others.
    rest: Duration,
}

impl Router {
    pub fn new(routes: &[Route], in_flight: usize, pauses: Pauses) -> Self {
        let mut providers: Vec<ProviderState> = Vec::new();
        let mut numbered = Vec::new();
        for route in routes {
            let (channel, name) = (route.provider.channel(), route.provider.name());
            let known = providers
                .iter()
                .position(|provider| (provider.channel, provider.name) == (channel, name));
            let number = known.unwrap_or_else(|| {
                providers.push(ProviderState {
                    channel,
                    name,
                    breaker: Breaker::new(pauses),
                    pace: Pace::new(route.max_per_second),
                });
                providers.len() - 1
            });
            numbered.push((number, route.countries.clone()));
        }
        Self {
            providers,
            routes: numbered,
            in_flight,
            rest: pauses.longest,
        }
    }

    /// The clients of the providers, by their numbers, from the routes that this was made of.
    pub fn clients(&self, routes: &[Route]) -> Vec<ChannelProvider> {
        let is = |provider: &ProviderState, route: &&Route| {
            (route.provider.channel(), route.provider.name()) == (provider.channel, provider.name)
        };
        let route = |provider: &ProviderState| routes.iter().find(|route| is(provider, route));
        let routes = self.providers.iter().filter_map(route);
        routes.map(|route| route.provider.clone()).collect()
    }

    pub fn count(&self) -> usize {
        self.providers.len()
    }

    pub fn routes(&self) -> &[(ProviderId, Countries)] {
        &self.routes
    }

    pub fn channel(&self, provider: ProviderId) -> Channel {
        self.providers[provider].channel
    }

    pub fn name(&self, provider: ProviderId) -> &'static str {
        self.providers[provider].name
    }

    pub fn health(&self, provider: ProviderId) -> Health {
        self.providers[provider].breaker.health()
    }

    /// From when on codes may be issued that this provider alone could carry; none while a probe decides.
    pub fn admits_from(&self, provider: ProviderId, now: Instant) -> Option<Instant> {
        match self.providers[provider].breaker.admission() {
            Access::Free => Some(now),
            Access::NotBefore(until) => Some(until),
            Access::Closed => None,
        }
    }

    /// The providers of a channel that lead to a country, the preferred first.
    pub fn towards(&self, channel: Channel, country: Country) -> Vec<ProviderId> {
        let mut providers = Vec::new();
        for (provider, countries) in &self.routes {
            let fits = self.channel(*provider) == channel && countries.fits(country);
            if fits && !providers.contains(provider) {
                providers.push(*provider);
            }
        }
        providers
    }

    pub fn rest(&self) -> Duration {
        self.rest
    }

    /// What a message waits for that these deprioritized; none where no route leads to its country.
    pub fn wanted_by(
        &self,
        entry: &OutboxEntry,
        deprioritized: &BTreeSet<ProviderId>,
        failed_probes: &BTreeSet<ProviderId>,
    ) -> Option<Want> {
        let mut providers = self.towards(entry.channel, entry.country);
        let spare = providers
            .iter()
            .position(|&provider| entry.avoid.as_deref() == Some(self.providers[provider].name))
            .map(|index| providers.remove(index));
        (!providers.is_empty() || spare.is_some()).then(|| Want::Send {
            providers,
            spare,
            deprioritized: deprioritized.clone(),
            failed_probes: failed_probes.clone(),
        })
    }

    /// Whether a provider leads to its country, of which these are none, that is let by its breaker.
    pub fn is_open_but_for(
        &self,
        deprioritized: &BTreeSet<ProviderId>,
        entry: &OutboxEntry,
        now: Instant,
    ) -> bool {
        let providers = self.towards(entry.channel, entry.country).into_iter();
        let mut others = providers.filter(|provider| !deprioritized.contains(provider));
        others.any(|provider| self.providers[provider].breaker.access(now) == Access::Free)
    }

    /// Whether any provider leads to its country but these.
    pub fn has_others(&self, deprioritized: &BTreeSet<ProviderId>, entry: &OutboxEntry) -> bool {
        let mut providers = self.towards(entry.channel, entry.country).into_iter();
        providers.any(|provider| !deprioritized.contains(&provider))
    }

    /// Finds a provider, with `load` for the calls in flight on each.
    pub fn choose(&self, want: &Want, load: &[usize], now: Instant) -> Choice {
        let (providers, spare, deprioritized) = match want {
            // What a provider took can be asked for whatever its breaker thinks of sending.
            Want::LookUp(provider) => return self.room(*provider, load, now),
            Want::Send {
                providers,
                spare,
                deprioritized,
                ..
            } => (providers, *spare, deprioritized),
        };
        let mut choice = Choice::Later;
        let mut all_shut = true;
        let (last, first): (Vec<_>, Vec<_>) = providers
            .iter()
            .copied()
            .chain(spare)
            .partition(|provider| deprioritized.contains(provider));
        for provider in first.into_iter().chain(last) {
            if (Some(provider) == spare || deprioritized.contains(&provider)) && !all_shut {
                break;
            }
            let breaker = &self.providers[provider].breaker;
            let access = match deprioritized.contains(&provider) {
                true => breaker.access_again(now),
                false => breaker.access(now),
            };
            let open = match access {
                Access::Free => {
                    all_shut = false;
                    self.room(provider, load, now)
                }
                Access::NotBefore(until) => Choice::NotBefore(until),
                Access::Closed => Choice::Later,
            };
            match (open, choice) {
                (Choice::Provider(_), _) => return open,
                (Choice::NotBefore(at), Choice::NotBefore(soonest)) if at >= soonest => {}
                (Choice::NotBefore(_), _) => choice = open,
                (Choice::Later, _) => {}
            }
        }
        choice
    }

    fn room(&self, provider: ProviderId, load: &[usize], now: Instant) -> Choice {
        if load[provider] >= self.in_flight {
            return Choice::Later;
        }
        match self.providers[provider].pace.full_until(now) {
            Some(until) => Choice::NotBefore(until),
            None => Choice::Provider(provider),
        }
    }

    /// Whether others may probe this provider first.
    pub fn is_later_probe(&self, want: &Want, provider: ProviderId) -> bool {
        match want {
            Want::LookUp(_) => false,
            Want::Send { failed_probes, .. } => {
                failed_probes.contains(&provider) && self.health(provider) != Health::Working
            }
        }
    }

    /// Begins a call; answers whether it is a probe.
    pub fn begin_send(&mut self, provider: ProviderId, now: Instant) -> bool {
        self.providers[provider].pace.begin(now);
        self.providers[provider].breaker.begin()
    }

    pub fn begin_look_up(&mut self, provider: ProviderId, now: Instant) {
        self.providers[provider].pace.begin(now);
    }

    /// Takes note of how a sending call ended.
    pub fn observe(&mut self, provider: ProviderId, was_probe: bool, observation: Observation, now: Instant) {
        self.providers[provider]
            .breaker
            .observe(was_probe, observation, now);
    }
}

#[cfg(test)]
mod tests;
