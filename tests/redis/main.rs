//! The way to Redis against servers of the test's own: whom it trusts, whom it leaves, and what it says.

mod failover;
mod servers;
mod tls;
