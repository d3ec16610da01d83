//! Keeps the hasher's notion of what hashes there are up with the database.

use std::{sync::Arc, time::Duration};

use super::{PasswordHasher, PasswordStore};
use crate::outage;

/// Others import users while this instance serves.
const INTERVAL: Duration = Duration::from_secs(60);

/// Asks again and again which hashes of other systems there are. While the database doesn't answer, what was known holds.
pub async fn watch_hash_costs(hasher: PasswordHasher, store: Arc<dyn PasswordStore>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        read_hash_costs(&hasher, store.as_ref()).await;
    }
}

/// Asks once: at the start, before anybody logs in.
pub async fn read_hash_costs(hasher: &PasswordHasher, store: &dyn PasswordStore) {
    match store.foreign_costs().await {
        Ok(held) => hasher.expect(&held),
        Err(error) => {
            outage::note(&error);
            tracing::debug!(%error, "which hashes of other systems there are is not known: the time of a login may tell");
        }
    }
}
