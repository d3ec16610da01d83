//! Connections of lanes of coalesced lookups.

pub(super) mod postgres;
