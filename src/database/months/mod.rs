//! Tables that have a partition for each month (PostgreSQL alone): the next months' are made ahead of time, and what is
//! over goes with its month, by one `DROP` in place of as many deletes as it has rows.
//!
//! | file | what it is about |
//! |---|---|
//! | `postgres.rs` | how partitions are found, made and dropped, beside the work |

pub(crate) mod postgres;
