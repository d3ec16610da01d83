//! Connections that are lent for one call each.

pub(super) mod postgres;
