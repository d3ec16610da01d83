//! Into how many shares everything is spread that is kept for phones and by limits.

/// The unit by which several servers share the load: what is in one partition lies together, and can be changed in one
/// step. A constant, since every instance must agree on it.
pub const PARTITIONS: u8 = 64;
