//! What the handles of the dispatcher know of it without asking it.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::gate::Gate;

/// Written by the dispatcher at each step, but for `draining`; read by its handles.
pub(super) struct Shared {
    pub queued: AtomicUsize,
    pub in_flight: AtomicUsize,
    /// Set by the handle that ends the service.
    pub draining: AtomicBool,
    pub gate: Gate,
}

impl Shared {
    pub fn new(gate: Gate) -> Self {
        Self {
            queued: AtomicUsize::default(),
            in_flight: AtomicUsize::default(),
            draining: AtomicBool::default(),
            gate,
        }
    }
}
