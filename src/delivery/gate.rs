//! What the handles of the dispatcher know of its providers without asking it.

use std::sync::{PoisonError, RwLock};

use tokio::time::Instant;

use super::{
    Countries, Health,
    switchboard::{LineId, Switchboard},
};
use crate::{channel::Channel, phone::Country};

#[derive(Debug)]
struct Sign {
    channel: Channel,
    name: &'static str,
    health: Health,
    /// From when on it is worth to issue codes for it; none while a probe decides.
    opens: Option<Instant>,
}

/// Lets codes be issued for as long as somebody may take their SMS. Written only when a provider's health turns.
#[derive(Debug)]
pub(super) struct Gate {
    routes: Vec<(LineId, Countries)>,
    signs: RwLock<Vec<Sign>>,
}

impl Gate {
    pub fn of(switchboard: &Switchboard, now: Instant) -> Self {
        let sign = |line| Sign {
            channel: switchboard.channel(line),
            name: switchboard.name(line),
            health: switchboard.health(line),
            opens: switchboard.admits_from(line, now),
        };
        Self {
            routes: switchboard.routes().to_vec(),
            signs: RwLock::new((0..switchboard.lines()).map(sign).collect()),
        }
    }

    /// Takes a turn of a provider in.
    pub fn tell(&self, line: LineId, health: Health, opens: Option<Instant>) {
        let mut signs = self.signs.write().unwrap_or_else(PoisonError::into_inner);
        signs[line].health = health;
        signs[line].opens = opens;
    }

    /// Whether any provider carries messages of this channel.
    pub fn carries(&self, channel: Channel) -> bool {
        let signs = self.signs.read().unwrap_or_else(PoisonError::into_inner);
        signs.iter().any(|sign| sign.channel == channel)
    }

    /// Who would carry a code by this channel to this country now, so that it may be issued; else, why not.
    pub fn admits(
        &self,
        channel: Channel,
        country: Country,
        now: Instant,
    ) -> Result<&'static str, &'static str> {
        let signs = self.signs.read().unwrap_or_else(PoisonError::into_inner);
        let mut why = "no route leads to this country";
        let fitting = |(line, countries): &&(LineId, Countries)| {
            signs[*line].channel == channel && countries.fits(country)
        };
        for (line, _) in self.routes.iter().filter(fitting) {
            if signs[*line].opens.is_some_and(|opens| opens <= now) {
                return Ok(signs[*line].name);
            }
            why = "stopped, until its provider takes SMS again";
        }
        Err(why)
    }

    /// How each provider does.
    pub fn health(&self) -> Vec<(&'static str, Health)> {
        let signs = self.signs.read().unwrap_or_else(PoisonError::into_inner);
        signs.iter().map(|sign| (sign.name, sign.health)).collect()
    }
}
