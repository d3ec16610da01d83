//! Who may do what.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{AdminError, Administration};
use crate::{
    accounts::SignedIn,
    events::{EventKind, Source},
    limits::ClientNetwork,
    tokens::{Amr, Role},
};

/// How old the second proof may be of whoever deletes an account.
const FRESH: TimeDelta = TimeDelta::minutes(5);

/// An administrator who was let in.
#[derive(Debug, Clone)]
pub struct Entered {
    signed_in: SignedIn,
    role: Role,
    client: ClientNetwork,
}

/// What somebody asked for, about which account, and why.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: &'static str,
    /// The pattern of the route.
    pub route: &'static str,
    /// What a button of the console does, where it is one.
    pub action: Option<&'static str>,
    pub about: Option<Uuid>,
    pub reason: Option<String>,
}

/// Whoever does something: an administrator or an operator, and the reason.
#[derive(Debug, Clone)]
pub struct Acting {
    source: Source,
}

impl Administration {
    /// Lets an administrator in by a session with a second proof, whatever the role is: see [`Administration::demand`].
    ///
    /// # Errors
    /// `SecondProofRequired`, `Forbidden`, `Unavailable`.
    pub async fn enter(&self, signed_in: SignedIn, client: ClientNetwork) -> Result<Entered, AdminError> {
        let standing = self.administrators.standing(signed_in.session).await?;
        let role = standing.and_then(|standing| standing.role);
        let is_proven = standing.is_some_and(|standing| standing.has_second_proof);
        let role = match role {
            Some(role) if is_proven => role,
            // The role that the second proof was given for was taken away meanwhile.
            None if was_proven(signed_in.amr) => return Err(AdminError::Forbidden),
            _ => return Err(AdminError::SecondProofRequired),
        };
        Ok(Entered {
            signed_in,
            role,
            client,
        })
    }

    /// Asks for a role that is `least` or more. Where it is less, what was asked for is noted.
    ///
    /// # Errors
    /// `Forbidden`, `Unavailable`.
    pub async fn demand(&self, of: &Entered, least: Role, asked: Asked) -> Result<(), AdminError> {
        if of.role >= least {
            return Ok(());
        }
        let refused = self.event(&of.acting(asked.reason), EventKind::AdministrationRefused);
        let refused = refused.with("method", asked.method).with("route", asked.route);
        let refused = match asked.action {
            Some(action) => refused.with("action", action),
            None => refused,
        };
        let refused = refused.with("wants", least.name());
        self.events.note(&refused, asked.about).await?;
        Err(AdminError::Forbidden)
    }

    /// Asks for a second proof that is a few minutes old at most.
    ///
    /// # Errors
    /// `SecondProofRequired`.
    pub fn demand_fresh_proof(&self, of: &Entered) -> Result<(), AdminError> {
        let age = self.clock.now() - of.signed_in.authenticated_at;
        let is_fresh = age < FRESH;
        is_fresh.then_some(()).ok_or(AdminError::SecondProofRequired)
    }
}

impl Entered {
    pub fn user(&self) -> Uuid {
        self.signed_in.user.id
    }

    /// The session that they came by.
    pub fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// Them doing something, with the reason where something is changed.
    pub fn acting(&self, reason: Option<String>) -> Acting {
        Acting {
            source: Source::administrator(self.user(), self.client, reason),
        }
    }
}

impl Acting {
    /// Whoever runs the service, on the command line.
    pub fn operator(reason: Option<String>) -> Self {
        Self {
            source: Source::operator(reason),
        }
    }

    /// By whom events are.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether it is their own account.
    pub(super) fn is_own(&self, user: Uuid) -> bool {
        self.source.actor.id() == Some(user)
    }
}

/// Whether a session was opened with a second proof, whatever became of the role since.
fn was_proven(amr: Amr) -> bool {
    matches!(amr, Amr::PasswordAndSmsCode | Amr::PasswordAndEmailCode)
}
