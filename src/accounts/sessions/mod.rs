//! Sessions and their refresh tokens.
//!
//! | file | what it is about |
//! |---|---|
//! | `session.rs` | a session that is to be opened, one as it is seen, and whose it is |
//! | `rotation.rs` | the rules of refresh-token rotation, without a database |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs`, `row/` | the two stores, and how a session is read from a row |
//! | `service.rs` | open, renew, authenticate, sign out |
//! | `own.rs` | what a user does with their own: list, end |
//! | `uses.rs` | when sessions were last used, written in batches |
//! | `purge.rs` | deletes sessions that ended |

mod own;
mod postgres;
mod purge;
mod rotation;
mod row;
mod service;
mod session;
pub(super) mod sqlite;
mod store;
mod uses;

pub use postgres::PostgresSessions;
pub use purge::purge_sessions;
pub use rotation::{Rotated, Rotation};
pub use service::{SecondProof, SessionOptions, Sessions, SignedIn, Tokens};
pub use session::{ClientInfo, Identity, Liveness, NewSession, OpenSession, SessionView};
pub use sqlite::SqliteSessions;
pub use store::{MOST_LISTED, SessionStore};
pub use uses::{SessionUses, write_session_uses};
