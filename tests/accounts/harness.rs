//! A fresh database for each test, gone at its end whether it passed or not.

use std::{
    env, fs,
    panic::resume_unwind,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use ringback::{
    accounts::{
        AdministratorStore, ChangeStore, Directory, NetworkStore, NewSession, NewUser, OpeningStore,
        PasswordHash, PasswordStore, PersonName, PostgresAdministrators, PostgresChanges, PostgresDirectory,
        PostgresNetworks, PostgresOpenings, PostgresPasswords, PostgresProofs, PostgresRecords,
        PostgresSessions, PostgresTransfer, PostgresUsers, ProofStore, RecordStore, SessionStore,
        SqliteAdministrators, SqliteChanges, SqliteDirectory, SqliteNetworks, SqliteOpenings,
        SqlitePasswords, SqliteProofs, SqliteRecords, SqliteSessions, SqliteTransfer, SqliteUsers,
        TransferStore, User, UserStore,
    },
    database::{Database, DatabaseUrlError, PoolOptions, PostgresLink, PostgresOptions, SqliteLink},
    email::EmailAddress,
    entropy::{Entropy, SystemEntropy},
    events::{
        self, EventKind, EventLog, NewEvent, NewNotice, NoticeAddress, NoticeStore, OutgoingStore,
        PostgresEventLog, PostgresEvents, PostgresNotices, PostgresOutgoing, PostgresRefusals, RefusalStore,
        Source, SqliteEventLog, SqliteEvents, SqliteNotices, SqliteOutgoing, SqliteRefusals,
    },
    ledger::{
        LedgerReader, LedgerStore, PostgresLedger, PostgresLedgerReader, SqliteLedger, SqliteLedgerReader,
    },
    phone::{PhoneCheck, PhoneNumber},
    retention::Retained,
    tokens::Amr,
};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

/// How long an unproven claim of a phone is live.
pub const CLAIM_TTL: TimeDelta = TimeDelta::days(7);

pub const OPTIONS: PoolOptions = PoolOptions {
    max_connections: 8,
    timeout: Duration::from_secs(20),
};

/// All stores of one instance of the service, which share its connections.
#[derive(Clone)]
pub struct Store {
    pub database: Arc<dyn Database>,
    pub users: Arc<dyn UserStore>,
    pub proofs: Arc<dyn ProofStore>,
    pub networks: Arc<dyn NetworkStore>,
    pub openings: Arc<dyn OpeningStore>,
    pub changes: Arc<dyn ChangeStore>,
    pub passwords: Arc<dyn PasswordStore>,
    pub sessions: Arc<dyn SessionStore>,
    pub transfer: Arc<dyn TransferStore>,
    pub ledger: Arc<dyn LedgerStore>,
    pub events: Arc<dyn Retained>,
    pub notices: Arc<dyn NoticeStore>,
    pub refusals: Arc<dyn RefusalStore>,
    pub outgoing: Arc<dyn OutgoingStore>,
    pub records: Arc<dyn RecordStore>,
    pub administrators: Arc<dyn AdministratorStore>,
    pub directory: Arc<dyn Directory>,
    pub event_log: Arc<dyn EventLog>,
    pub ledger_reader: Arc<dyn LedgerReader>,
}

impl Store {
    pub fn open(url: &str, options: PoolOptions) -> Result<Self, DatabaseUrlError> {
        Self::with(url, options, &PostgresOptions::default())
    }

    pub fn with(
        url: &str,
        options: PoolOptions,
        postgres: &PostgresOptions,
    ) -> Result<Self, DatabaseUrlError> {
        let secret = SecretString::from(url);
        Ok(if url.starts_with("postgres") {
            let link = PostgresLink::open(&secret, options, postgres)?;
            Self {
                users: Arc::new(PostgresUsers::new(&link)),
                proofs: Arc::new(PostgresProofs::new(&link, CLAIM_TTL)),
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
            }
        } else {
            let link = SqliteLink::open(&secret, options)?;
            Self {
                users: Arc::new(SqliteUsers::new(&link)),
                proofs: Arc::new(SqliteProofs::new(&link, CLAIM_TTL)),
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
            }
        })
    }
}

/// One database under two instances of the service.
#[derive(Clone)]
pub struct Stores {
    pub one: Store,
    pub two: Store,
    pub url: String,
}

impl Stores {
    pub async fn open(url: String) -> Self {
        let [one, two] = [(); 2].map(|()| Store::open(&url, OPTIONS).unwrap());
        one.database.migrate().await.unwrap();
        Self { one, two, url }
    }

    /// One store or the other.
    pub fn either(&self, n: usize) -> Store {
        if n.is_multiple_of(2) { &self.one } else { &self.two }.clone()
    }

    /// What an operator does by hand.
    pub async fn sql(&self, statement: String) {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        if self.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            statement.execute(&mut connection).await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            statement.execute(&mut connection).await.unwrap();
        }
    }

    /// Inserts a notice, as a change does in its transaction.
    pub async fn insert_notice(&self, notice: &NewNotice, user: Uuid, to: &NoticeAddress) {
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            let insert = events::sqlite::notice(notice, user, to);
            insert.execute(&mut connection).await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let insert = events::postgres::notice(notice, user, to);
            insert.execute(&mut connection).await.unwrap();
        }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    /// The one text that a query answers.
    pub async fn text(&self, query: String) -> String {
        let query = AssertSqlSafe(query);
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(query)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        }
    }

    /// The kinds of all events but those of accounts and sessions that were made, the oldest first.
    pub async fn kinds(&self) -> String {
        let list = if self.is_sqlite() {
            "group_concat(kind, ' ')"
        } else {
            "string_agg(kind, ' ')"
        };
        self.text(format!(
            "SELECT coalesce({list}, '') FROM (SELECT kind FROM events \
             WHERE kind NOT IN ('account.registered', 'session.opened') ORDER BY at, id) AS kinds"
        ))
        .await
    }

    pub async fn count(&self, table: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        let query = sqlx::query_scalar(AssertSqlSafe(query));
        if self.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            query.fetch_one(&mut connection).await.unwrap()
        } else {
            let query = format!("SELECT count(*) FROM {table}");
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let query = sqlx::query_scalar(AssertSqlSafe(query));
            query.fetch_one(&mut connection).await.unwrap()
        }
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
}

pub fn random_name() -> String {
    let entropy: &dyn Entropy = &SystemEntropy;
    format!("ringback_test_{}", entropy.uuid().simple())
}

/// A folder that is removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        Self(env::temp_dir().join(random_name()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn on_sqlite<F: Future<Output = ()> + Send + 'static>(case: fn(Stores) -> F) {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.0.join("accounts.db").display());
    runtime().block_on(async {
        let stores = Stores::open(url).await;
        let outcome = tokio::spawn(case(stores.clone())).await;
        stores.one.database.close().await;
        stores.two.database.close().await;
        outcome.unwrap_or_else(|failure| resume_unwind(failure.into_panic()));
    });
}

pub fn on_postgres<F: Future<Output = ()> + Send + 'static>(case: fn(Stores) -> F) {
    with_postgres_url(|url| async move {
        let stores = Stores::open(url).await;
        let outcome = tokio::spawn(case(stores.clone())).await;
        stores.one.database.close().await;
        stores.two.database.close().await;
        outcome.unwrap_or_else(|failure| resume_unwind(failure.into_panic()));
    });
}

/// Runs a case on a PostgreSQL database of its own.
pub fn with_postgres_url<F: Future<Output = ()> + Send + 'static>(case: impl FnOnce(String) -> F) {
    let Ok(server) = env::var("RINGBACK_TEST_DATABASE_URL") else {
        panic!("set RINGBACK_TEST_DATABASE_URL, or run scripts/test");
    };
    let name = random_name();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    runtime().block_on(async {
        let mut admin = PgConnection::connect(&server).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(AssertSqlSafe(create))
            .execute(&mut admin)
            .await
            .unwrap();
        let outcome = tokio::spawn(case(url.to_string())).await;
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        // It may fail where autovacuum is at work: the server is thrown away with it.
        let _ = sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await;
        outcome.unwrap_or_else(|failure| resume_unwind(failure.into_panic()));
    });
}

/// A moment, in seconds of the test's own time.
pub fn at(second: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_800_000_000 + second, 123_456_789).unwrap()
}

/// An event of that second, by the service itself.
pub fn event(kind: EventKind, second: i64) -> NewEvent {
    NewEvent::new(kind, Source::system(), at(second), &SystemEntropy)
}

/// The event of a session that ended at that second.
pub fn session_ended(second: i64) -> NewEvent {
    event(EventKind::SessionEnded, second)
}

/// The event of a phone that is verified at that second.
pub fn phone_verified(second: i64) -> NewEvent {
    event(EventKind::PhoneVerified, second)
}

/// The event of an e-mail address that is verified at that second.
pub fn email_verified(second: i64) -> NewEvent {
    event(EventKind::EmailVerified, second)
}

pub fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text, PhoneCheck::E164).unwrap()
}

pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_stored(text.to_owned())
}

pub fn name(text: &str) -> PersonName {
    PersonName::parse(text).unwrap()
}

/// Identifiers sort in the order in which they were made, as those of the service do.
pub fn new_user(email: &str, claims: &str) -> NewUser {
    static MADE: AtomicI64 = AtomicI64::new(0);
    let entropy: &dyn Entropy = &SystemEntropy;
    NewUser {
        id: entropy.row_id(at(MADE.fetch_add(1, Ordering::SeqCst))),
        email: EmailAddress::parse(email).unwrap(),
        phone: phone(claims),
        first_name: PersonName::parse("Jane").unwrap(),
        last_name: PersonName::parse("O’Doe").unwrap(),
        password: hash("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaA"),
        now: at(0),
        event: event(EventKind::AccountRegistered, 0),
    }
}

/// A session whose token of generation 0 has digest 0, and that ends at second 1000.
pub fn new_session(user_id: Uuid) -> NewSession {
    let entropy: &dyn Entropy = &SystemEntropy;
    NewSession {
        id: entropy.uuid(),
        user_id,
        refresh_hash: [0; 32],
        epoch: 0,
        amr: Amr::Password,
        role: None,
        authenticated_at: at(0),
        client: Some("Firefox on Linux".to_owned()),
        network: Some("203.0.113.0/24".to_owned()),
        now: at(0),
        expires_at: at(1_000),
        event: event(EventKind::SessionOpened, 0),
    }
}

/// An account with a session, and the session's identifier.
pub async fn register(store: &Store, email: &str, claims: &str) -> (User, Uuid) {
    let user = new_user(email, claims);
    let session = new_session(user.id);
    let id = session.id;
    (store.users.register(user, session).await.unwrap(), id)
}
