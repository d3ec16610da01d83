//! Networks from which somebody has signed in to an account lately: they have budgets of their own for what lets into it, so
//! that strangers elsewhere can't shut its owner out.
//!
//! | file | what it is about |
//! |---|---|
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |

mod postgres;
mod sqlite;
mod store;

use std::sync::Arc;

use chrono::TimeDelta;

pub use postgres::PostgresNetworks;
pub use sqlite::SqliteNetworks;
pub use store::NetworkStore;

use super::passwords::Login;
use crate::{
    clock::Clock,
    limits::{Asker, ClientNetwork},
    unavailable::Unavailable,
};

/// For so long after a sign-in its network is known. People come home within a season.
const KNOWN_FOR: TimeDelta = TimeDelta::days(90);

/// Which networks are known to an account.
#[derive(Clone)]
pub struct KnownNetworks {
    pub store: Arc<dyn NetworkStore>,
    pub clock: Arc<dyn Clock>,
}

impl KnownNetworks {
    /// Who asks about the account that an address leads to, by where they come from. It costs the same, and for the limits
    /// it is a stranger, where there is no such account.
    ///
    /// # Errors
    /// [`Unavailable`] when the database is.
    pub async fn asker(&self, client: ClientNetwork, address: &Login) -> Result<Asker, Unavailable> {
        let since = self.clock.now() - KNOWN_FOR;
        let is_known = self.store.knows(address, &client.coarse(), since).await?;
        Ok(match is_known {
            true => Asker::KnownNetwork,
            false => Asker::Stranger,
        })
    }

    /// The networks that are known to the account that an address leads to, as they are kept.
    ///
    /// # Errors
    /// As for [`KnownNetworks::asker`].
    pub async fn of(&self, address: &Login) -> Result<Vec<String>, Unavailable> {
        self.store.known(address, self.clock.now() - KNOWN_FOR).await
    }
}
