//! Where everything is kept: Redis and a database, or what a laptop can do without.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{base::Base, error::StartError};
use crate::{
    accounts::{
        AdministratorStore, ChangeStore, Directory, NetworkStore, OpeningStore, PasswordStore,
        PostgresAdministrators, PostgresChanges, PostgresDirectory, PostgresNetworks, PostgresOpenings,
        PostgresPasswords, PostgresProofs, PostgresRecords, PostgresSessions, PostgresTransfer,
        PostgresUsers, ProofStore, RecordStore, SessionStore, SqliteAdministrators, SqliteChanges,
        SqliteDirectory, SqliteNetworks, SqliteOpenings, SqlitePasswords, SqliteProofs, SqliteRecords,
        SqliteSessions, SqliteTransfer, SqliteUsers, TransferStore, UserStore,
    },
    challenges::{ChallengeStore, Challenges, MemoryChallenges, RedisChallenges},
    clock::Clock,
    database::{Database, DatabaseUrlError, PostgresLink, SqliteLink},
    delivery::Outbox,
    events::{
        EventLog, NoticeStore, OutgoingStore, PostgresEventLog, PostgresEvents, PostgresNotices,
        PostgresOutgoing, PostgresRefusals, RefusalStore, SqliteEventLog, SqliteEvents, SqliteNotices,
        SqliteOutgoing, SqliteRefusals,
    },
    ledger::{
        LedgerReader, LedgerStore, PostgresLedger, PostgresLedgerReader, SqliteLedger, SqliteLedgerReader,
    },
    limits::{ClusterCounters, MemoryCounters, RedisCounters},
    output,
    redis::RedisLink,
    retention::{MonthsAhead, MonthsKept, Retained},
    settings::Settings,
    unavailable::Unavailable,
};

/// What Redis keeps.
pub(super) struct Stores {
    pub(super) counters: Arc<dyn ClusterCounters>,
    pub(super) challenges: Challenges,
    pub(super) outbox: Arc<dyn Outbox>,
}

/// A database, and the stores that share its connections.
pub(super) struct Databases {
    pub(super) database: Arc<dyn Database>,
    pub(super) users: Arc<dyn UserStore>,
    pub(super) proofs: Arc<dyn ProofStore>,
    pub(super) networks: Arc<dyn NetworkStore>,
    pub(super) openings: Arc<dyn OpeningStore>,
    pub(super) changes: Arc<dyn ChangeStore>,
    pub(super) passwords: Arc<dyn PasswordStore>,
    pub(super) sessions: Arc<dyn SessionStore>,
    pub(super) transfer: Arc<dyn TransferStore>,
    pub(super) ledger: Arc<dyn LedgerStore>,
    pub(super) events: Arc<dyn Retained>,
    pub(super) notices: Arc<dyn NoticeStore>,
    pub(super) refusals: Arc<dyn RefusalStore>,
    pub(super) outgoing: Arc<dyn OutgoingStore>,
    pub(super) records: Arc<dyn RecordStore>,
    pub(super) administrators: Arc<dyn AdministratorStore>,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) event_log: Arc<dyn EventLog>,
    pub(super) ledger_reader: Arc<dyn LedgerReader>,
    pub(super) months_ahead: MonthsAhead,
}

/// Redis where there is one, else this process's memory.
pub(super) fn connect(base: &Base<'_>) -> Result<Stores, StartError> {
    let (rules, lease) = (base.settings.otp.clone(), base.settings.dispatcher.lease);
    let Some(options) = &base.settings.redis else {
        let max_keys = base.settings.limits.limiter.max_keys;
        let counters = Arc::new(MemoryCounters::new(Arc::clone(&base.clock), max_keys));
        let store = MemoryChallenges::new(Arc::clone(&counters), rules, lease, Arc::clone(&base.clock));
        let store = Arc::new(store);
        return Ok(Stores {
            counters,
            challenges: challenges(base, Arc::clone(&store) as _),
            outbox: store,
        });
    };
    let link = Arc::new(RedisLink::open(options)?);
    let offset = &base.redis_clock_offset;
    let store = Arc::new(RedisChallenges::new(
        Arc::clone(&link),
        rules,
        lease,
        Arc::clone(offset),
    ));
    Ok(Stores {
        counters: Arc::new(RedisCounters::with_offset(link, Arc::clone(offset))),
        challenges: challenges(base, Arc::clone(&store) as _),
        outbox: store,
    })
}

fn challenges(base: &Base<'_>, store: Arc<dyn ChallengeStore>) -> Challenges {
    Challenges {
        store,
        keyring: Arc::clone(&base.keyring),
        rules: base.settings.otp.clone(),
        lease: base.settings.dispatcher.lease,
        clock: Arc::clone(&base.clock),
        entropy: Arc::clone(&base.entropy),
    }
}

/// Reads what belongs to the way to PostgreSQL, such as files of certificates; connects nowhere.
pub(super) fn check_database(settings: &Settings) -> Result<(), DatabaseUrlError> {
    match &settings.database.url {
        Some(url) if !is_sqlite(url) => {
            PostgresLink::check_with(url.expose_secret(), &settings.database.postgres)
        }
        _ => Ok(()),
    }
}

fn is_sqlite(url: &SecretString) -> bool {
    url.expose_secret().starts_with("sqlite:")
}

/// The file that is the database where none is configured.
fn embedded(settings: &Settings) -> PathBuf {
    settings.data_dir.join("ringback.db")
}

fn url(settings: &Settings) -> SecretString {
    let embedded = || SecretString::from(format!("sqlite://{}", embedded(settings).display()));
    settings.database.url.clone().unwrap_or_else(embedded)
}

/// Says which database a command is about where the configuration names none: the service may have been given another.
pub(super) fn say_which(settings: &Settings) {
    if settings.database.url.is_none() {
        let file = whole(&embedded(settings));
        output::complain(format_args!(
            "DATABASE_URL (database.url) is not set: this is about sqlite://{}.",
            file.display()
        ));
    }
}

/// The same as [`connect_database`], for what makes no database.
pub(super) fn connect_existing(settings: &Settings) -> Result<Databases, StartError> {
    say_which(settings);
    let url = url(settings);
    if is_sqlite(&url) {
        let file = SqliteLink::file(&url)?;
        if !file.exists() {
            return Err(StartError::NoDatabase(whole(&file)));
        }
    }
    connect_database(settings)
}

fn whole(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// The database that is configured, else SQLite in the data folder.
pub(super) fn connect_database(settings: &Settings) -> Result<Databases, StartError> {
    let (options, claim_ttl) = (settings.database.pool, settings.accounts.claim_ttl);
    let url = url(settings);
    Ok(if is_sqlite(&url) {
        let link = SqliteLink::open(&url, options)?;
        Databases {
            users: Arc::new(SqliteUsers::new(&link)),
            proofs: Arc::new(SqliteProofs::new(&link, claim_ttl)),
            networks: Arc::new(SqliteNetworks::new(&link)),
            openings: Arc::new(SqliteOpenings::new(&link)),
            changes: Arc::new(SqliteChanges::new(&link)),
            passwords: Arc::new(SqlitePasswords::new(&link)),
            sessions: Arc::new(SqliteSessions::new(&link)),
            transfer: Arc::new(SqliteTransfer::new(&link)),
            ledger: Arc::new(SqliteLedger::new(link.clone())),
            events: Arc::new(SqliteEvents::new(&link)),
            notices: Arc::new(SqliteNotices::new(&link)),
            refusals: Arc::new(SqliteRefusals::new(&link)),
            outgoing: Arc::new(SqliteOutgoing::new(&link)),
            records: Arc::new(SqliteRecords::new(&link)),
            administrators: Arc::new(SqliteAdministrators::new(&link)),
            directory: Arc::new(SqliteDirectory::new(&link)),
            event_log: Arc::new(SqliteEventLog::new(&link)),
            ledger_reader: Arc::new(SqliteLedgerReader::new(&link)),
            database: Arc::new(link),
            months_ahead: MonthsAhead::default(),
        }
    } else {
        let link = PostgresLink::open(&url, options, &settings.database.postgres)?;
        Databases {
            users: Arc::new(PostgresUsers::new(&link)),
            proofs: Arc::new(PostgresProofs::new(&link, claim_ttl)),
            networks: Arc::new(PostgresNetworks::new(&link)),
            openings: Arc::new(PostgresOpenings::new(&link)),
            changes: Arc::new(PostgresChanges::new(&link)),
            passwords: Arc::new(PostgresPasswords::new(&link)),
            sessions: Arc::new(PostgresSessions::new(&link)),
            transfer: Arc::new(PostgresTransfer::new(&link)),
            ledger: Arc::new(PostgresLedger::new(link.clone())),
            events: Arc::new(PostgresEvents::new(&link)),
            notices: Arc::new(PostgresNotices::new(&link)),
            refusals: Arc::new(PostgresRefusals::new(&link)),
            outgoing: Arc::new(PostgresOutgoing::new(&link)),
            records: Arc::new(PostgresRecords::new(&link)),
            administrators: Arc::new(PostgresAdministrators::new(&link)),
            directory: Arc::new(PostgresDirectory::new(&link)),
            event_log: Arc::new(PostgresEventLog::new(&link)),
            ledger_reader: Arc::new(PostgresLedgerReader::new(&link)),
            database: Arc::new(link),
            months_ahead: MonthsAhead::default(),
        }
    })
}

/// Makes partitions for this month and those to come; drops none. Answers what came of each table.
pub(super) async fn make_months(
    databases: &Databases,
    clock: &dyn Clock,
) -> [(&'static str, Result<MonthsKept, Unavailable>); 2] {
    let (now, before) = (clock.now(), DateTime::<Utc>::UNIX_EPOCH);
    let (events, ledger) = tokio::join!(
        databases.events.keep_months(now, before),
        databases.ledger.keep_months(now, before)
    );
    [("events", events), ("verifications", ledger)]
}
