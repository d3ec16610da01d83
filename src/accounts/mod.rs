//! User accounts: who someone is, what proves it, and where that is kept.
//!
//! | file | what it is about |
//! |---|---|
//! | `users/` | who has an account, and how one is made |
//! | `proofs/` | who claims a phone or an e-mail address, and who has proven it |
//! | `openings/` | which account an address opens: signing in by code, setting a password anew |
//! | `changes/` | how an account comes by another phone or e-mail address |
//! | `networks/` | from which networks an account was signed in to lately |
//! | `passwords/` | which passwords are accepted, their hashes, and where these are kept |
//! | `sessions/` | who is signed in: sessions and their tokens |
//! | `options.rs` | how long an account keeps what it never proved |
//! | `sign_in.rs` | making an account, and signing in by password |
//! | `own_password.rs` | what a signed-in user needs the password for: to change it, and to prove who they are |
//! | `administrators/` | who may administer, and what a session of theirs has proven |
//! | `directory/` | accounts as administrators find and see them |
//! | `records/` | all that is kept about a user: given to them, and erased |
//! | `profiles.rs` | what users change of their account without a proof |
//! | `transfer/` | many users at once: imported from another system, exported to one |
//! | `error.rs` | why somebody is not let in |
//!
//! Each folder has a store: a trait, whose comments are its contract, and two adapters, `postgres.rs` and `sqlite.rs`.
//! `tests/accounts/` holds both to the contract. For all methods of all stores: each is done within the database's
//! time-out or answers [`Unavailable`], and then it isn't known whether a change was made, except that each change is
//! made whole or not at all. The time is the caller's `now`, kept to the microsecond. Once a change was answered, every
//! later call sees it, on any instance.
//!
//! [`Unavailable`]: crate::unavailable::Unavailable

mod administrators;
mod changes;
mod directory;
mod error;
mod networks;
mod openings;
mod options;
mod own_password;
mod passwords;
mod profiles;
mod proofs;
mod records;
mod sessions;
mod sign_in;
mod transfer;
mod users;

pub use administrators::{
    Administrator, AdministratorStore, Grant, Granted, PostgresAdministrators, Revoked, SqliteAdministrators,
    Standing,
};
pub use changes::{ChangeStore, Changed, EmailChange, PhoneChange, PostgresChanges, SqliteChanges};
pub use directory::{
    AccountDetails, AccountStatus, Directory, PostgresDirectory, Search, SearchBy, SearchPlace,
    SqliteDirectory,
};
pub use error::AccountError;
pub use networks::{KnownNetworks, NetworkStore, PostgresNetworks, SqliteNetworks};
pub use openings::{Opening, OpeningRules, OpeningStore, PasswordReset, PostgresOpenings, SqliteOpenings};
pub use options::{AccountOptions, RegisterCode};
pub use own_password::{OwnPassword, OwnTurn, Turns};
pub use passwords::{
    Argon2Cost, Argon2Pool, BreachFileError, CostError, Credentials, HashCost, HashError, HasherOptions,
    Login, OwnerWords, Password, PasswordChange, PasswordError, PasswordHash, PasswordHasher,
    PasswordRuleOptions, PasswordRules, PasswordStore, PostgresPasswords, SqlitePasswords, Turn, Verdict,
    read_hash_costs, watch_hash_costs,
};
pub use profiles::Profiles;
pub use proofs::{
    Claimant, Claims, EmailHolder, EmailVerification, PostgresProofs, ProofStore, SqliteProofs, Verification,
};
pub use records::{
    Column, Erased, ErasedBy, Erasure, Kept, Leave, PostgresRecords, RecordStore, SqliteRecords,
    TABLES as RECORD_TABLES, Table, UnusedAccounts, UnusedPage, UnusedSince,
};
pub use sessions::{
    ClientInfo, Identity, Liveness, MOST_LISTED, NewSession, OpenSession, PostgresSessions, Rotated,
    Rotation, SecondProof, SessionOptions, SessionStore, SessionUses, SessionView, Sessions, SignedIn,
    SqliteSessions, Tokens, purge_sessions, write_session_uses,
};
pub use sign_in::{Registration, SignIn};
pub use transfer::{
    ExportError, Import, ImportError, ImportReport, Imported, Known, Lines, PostgresTransfer, Probe,
    Progress, Rows, SqliteTransfer, Step, TransferStore, TransferredUser, UserRules, django, export,
};
pub use users::{
    EmailLoss, Locked, NameError, NewUser, PersonName, PostgresUsers, ProfileChange, RegisterError,
    SqliteUsers, User, UserStore, name_key,
};
