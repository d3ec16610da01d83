//! Sessions and their refresh tokens.
//!
//! | file | what it is about |
//! |---|---|
//! | `session.rs` | a session that is to be opened, one as it is seen, and whose it is |
//! | `rotation.rs` | the rules of refresh-token rotation, without a database |
//! | `store.rs` | the contract of the store |
//! | `postgres.rs`, `sqlite.rs` | the two stores |
//! | `service.rs` | open, renew, authenticate, sign out |
//! | `purge.rs` | deletes sessions that ended |

mod postgres;
mod purge;
mod rotation;
mod service;
mod session;
pub(super) mod sqlite;
mod store;

pub use postgres::PostgresSessions;
pub use purge::purge_sessions;
pub use rotation::{Rotated, Rotation};
pub use service::{SessionOptions, Sessions, SignedIn, Tokens};
pub use session::{ClientInfo, Identity, NewSession, SessionView};
pub use sqlite::SqliteSessions;
pub use store::SessionStore;
