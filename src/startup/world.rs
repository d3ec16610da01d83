//! What a test puts in the place of the world.

use std::sync::{Arc, atomic::AtomicI64};

use crate::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SystemEntropy},
};

/// What a test puts in the place of the world.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Milliseconds by which Redis's clock is moved.
    pub redis_clock_offset: Arc<AtomicI64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            redis_clock_offset: Arc::default(),
        }
    }
}
