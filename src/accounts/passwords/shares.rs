//! How many places of the hasher's queue one network may hold, so that a flood from there leaves some to others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::limits::ClientNetwork;

/// For each free place, and one more, a network may hold so many. One network so gets three quarters of a queue, two get
/// three sevenths each, and a queue of three places goes to whoever comes.
const HELD_FOR_EACH_FREE: usize = 3;
/// Of IPv6 so much is one network here, whatever rules count by: somebody who has a /48 walks through 65,536 networks.
const IPV6_PREFIX: u8 = 48;

/// Who holds how many places.
#[derive(Debug)]
pub struct Shares {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Held {
    total: usize,
    /// At most as many as there are places.
    by_network: HashMap<ClientNetwork, usize>,
}

impl Shares {
    pub fn of(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            held: Mutex::default(),
        })
    }

    /// Takes places for a network; none if it has its share already. Whoever holds none yet is not refused.
    pub fn take(self: &Arc<Self>, network: ClientNetwork, places: usize) -> Option<Share> {
        let (network, places) = (network.widened(IPV6_PREFIX), places.min(self.capacity));
        let mut held = self.lock();
        let before = held.by_network.get(&network).copied().unwrap_or_default();
        let free = self.capacity.saturating_sub(held.total + places);
        if before > 0 && before + places > HELD_FOR_EACH_FREE * (free + 1) {
            return None;
        }
        held.total += places;
        held.by_network.insert(network, before + places);
        drop(held);
        Some(Share {
            shares: Arc::clone(self),
            network,
            places,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places that a network holds, until this is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    network: ClientNetwork,
    places: usize,
}

impl Share {
    /// Gives back all but so many.
    pub fn keep(&mut self, places: usize) {
        let kept = self.places.min(places);
        self.give(self.places - kept);
        self.places = kept;
    }

    fn give(&self, places: usize) {
        let mut held = self.shares.lock();
        held.total = held.total.saturating_sub(places);
        if let Some(of) = held.by_network.get_mut(&self.network) {
            *of = of.saturating_sub(places);
            if *of == 0 {
                held.by_network.remove(&self.network);
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give(self.places);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn network(text: &str) -> ClientNetwork {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn take_all(shares: &Arc<Shares>, from: impl Fn(usize) -> ClientNetwork, places: usize) -> Vec<Share> {
        (0..200).map_while(|n| shares.take(from(n), places)).collect()
    }

    #[test]
    fn a_flood_from_one_network_leaves_a_quarter_to_others() {
        let shares = Shares::of(66);
        let flood = take_all(&shares, |_| network("203.0.113.7"), 1);
        assert_eq!(flood.len(), 50);
        let other = take_all(&shares, |_| network("198.51.100.7"), 1);
        assert!(other.len() >= 8, "{}", other.len());
        assert!(shares.take(network("192.0.2.7"), 1).is_some());
        drop(flood);
        assert!(take_all(&shares, |_| network("203.0.113.7"), 1).len() >= 30);
        drop(other);
        assert_eq!(*shares.lock(), Held::default());
    }

    #[test]
    fn a_flood_from_all_of_a_48_is_one() {
        let shares = Shares::of(66);
        let flood = take_all(&shares, |n| network(&format!("2001:db8:1:{n:x}::1")), 1);
        assert_eq!(flood.len(), 50);
        assert!(shares.take(network("2001:db8:2::1"), 1).is_some());
    }

    #[test]
    fn a_short_queue_goes_to_whoever_comes() {
        for capacity in 1..=3 {
            let taken = take_all(&Shares::of(capacity), |_| network("203.0.113.7"), 1);
            assert!(taken.len() >= capacity, "the mailbox has the bound");
        }
        let shares = Shares::of(4);
        let dear = shares.take(network("203.0.113.7"), 9);
        assert!(dear.is_some(), "what takes more than there is takes all");
        assert!(shares.take(network("203.0.113.7"), 9).is_none());
    }

    #[test]
    fn what_is_given_back_is_free_again() {
        let shares = Shares::of(8);
        let mut share = shares.take(network("203.0.113.7"), 6).unwrap();
        assert!(shares.take(network("203.0.113.7"), 6).is_none());
        share.keep(1);
        assert_eq!(shares.lock().total, 1);
        share.keep(5);
        assert_eq!(shares.lock().total, 1);
        drop(share);
        assert_eq!(*shares.lock(), Held::default());
    }
}
