//! Servers that a test starts for itself: a PostgreSQL that it may set up at will, and a PgBouncer. They end with the test.

use std::{
    env, fs,
    fs::Permissions,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};

use crate::harness::random_name;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that the servers' user can read and write, removed at the end.
struct Room(PathBuf);

impl Room {
    fn new() -> Self {
        let path = env::temp_dir().join(random_name());
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(&path));
        }
        Self(path)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server, and its address.
pub struct OwnServer {
    child: Child,
    pub port: u16,
    room: Room,
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PostgreSQL refuses to run as root.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command.arg(program);
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Debian keeps `initdb` and `postgres` out of `PATH`.
fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<_> = versions
        .map(|version| version.path().join("bin").join(name))
        .collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

/// The PgBouncer of the system, or another that `RINGBACK_TEST_PGBOUNCER` names.
pub fn pgbouncer_program() -> PathBuf {
    let of_the_system = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(PathBuf::from);
    let named = std::env::var_os("RINGBACK_TEST_PGBOUNCER").map(PathBuf::from);
    let mut known = named.into_iter().chain(of_the_system);
    known.find(|path| path.exists()).expect("a pgbouncer")
}

impl OwnServer {
    /// A PostgreSQL with these settings. `files` are copied to its folder, for it alone to read.
    pub async fn postgres(settings: &[&str], files: &[&Path]) -> Self {
        let room = Room::new();
        let data = room.0.join("data");
        run(as_postgres(postgres_program("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "--auth=trust", "--locale=C.UTF-8", "--no-sync"]));
        for file in files {
            let copy = data.join(file.file_name().unwrap());
            fs::copy(file, &copy).unwrap();
            fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                run(Command::new("chown").arg("postgres:").arg(&copy));
            }
        }
        let port = free_port();
        let mut command = as_postgres(postgres_program("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(&room.0);
        command.args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
        ]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let server = Self::start(command, port, room);
        server.answers("postgres").await;
        server
    }

    /// A PgBouncer before the server of a URL, with these lines in its configuration.
    pub async fn pgbouncer(url: &url::Url, lines: &[&str]) -> (Self, url::Url) {
        let room = Room::new();
        let port = free_port();
        let (host, server, user) = (
            url.host_str().unwrap(),
            url.port().unwrap_or(5432),
            url.username(),
        );
        let users = room.0.join("users.txt");
        fs::write(&users, format!("\"{user}\" \"\"\n")).unwrap();
        let config = format!(
            "[databases]\n* = host={host} port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\n{}\n",
            users.display(),
            lines.join("\n")
        );
        let file = room.0.join("pgbouncer.ini");
        fs::write(&file, config).unwrap();
        let mut command = as_postgres(pgbouncer_program());
        command.arg("-q").arg(file);
        let bouncer = Self::start(command, port, room);
        let mut behind = url.clone();
        behind.set_host(Some("127.0.0.1")).unwrap();
        behind.set_port(Some(port)).unwrap();
        let began = Instant::now();
        while PgConnection::connect_with(&plain(&behind)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", bouncer.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (bouncer, behind)
    }

    fn start(mut command: Command, port: u16, room: Room) -> Self {
        let log = fs::File::create(room.0.join("log")).unwrap();
        let command = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        Self { child, port, room }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.room.0.join("log")).unwrap_or_default()
    }

    /// Its address for this user, without encryption.
    pub fn url(&self, user: &str) -> String {
        format!(
            "postgres://{user}@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    async fn answers(&self, user: &str) {
        let began = Instant::now();
        while PgConnection::connect(&self.url(user)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What an operator does by hand.
    pub async fn sql(&self, statements: &[&'static str]) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let by_an_operator = "SET default_transaction_read_only = off";
        for &statement in [by_an_operator].iter().chain(statements) {
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
    }
}

/// Without a parameter that PgBouncer refuses.
pub fn plain(url: &url::Url) -> sqlx::postgres::PgConnectOptions {
    url.as_str()
        .parse::<sqlx::postgres::PgConnectOptions>()
        .unwrap()
        .extra_float_digits(None)
}
