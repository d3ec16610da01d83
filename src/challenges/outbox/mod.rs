//! The outbox, beside the challenges: which SMS are owed, and to whom they are leased. What an entry says is read from
//! its challenge's record.

mod memory;
mod redis;

pub(super) use redis::key_outbox;
