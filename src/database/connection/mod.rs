//! Connections to PostgreSQL that the pool lends, when one is given up, and how a statement is run on one.

pub(super) mod postgres;
