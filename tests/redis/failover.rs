//! Servers that answer and take no writes: they are left, and the next one is found without a restart.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use ringback::redis::{RedisLink, RedisSecurity};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use support::variable;

use crate::servers::{Server, link};

/// What Redis before 7 said of a script that wrote to a replica.
const WRAPPED: &str = "-ERR Error running script (call to f_0): @user_script:1: @user_script: 1: -READONLY You can't write \
                       against a read only replica.\r\n";
/// What a server says that reads its data, and a node of a Cluster that has lost others.
const LOADING: &str = "-LOADING Redis is loading the dataset in memory\r\n";
const CLUSTERDOWN: &str = "-CLUSTERDOWN The cluster is down\r\n";
const RECOVERY: Duration = Duration::from_secs(5);

/// What stands before servers that fail over: new connections go to whoever is the master, those that are open stay.
struct Forwarder {
    port: u16,
    target: watch::Sender<String>,
    /// What it makes of `READONLY`.
    words: Arc<OnceLock<&'static str>>,
}

impl Forwarder {
    async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = watch::Sender::new(target.to_owned());
        let words = Arc::new(OnceLock::new());
        let (to, said) = (target.clone(), Arc::clone(&words));
        actix_web::rt::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let to = to.borrow().clone();
                actix_web::rt::spawn(carry(client, to, Arc::clone(&said)));
            }
        });
        Self { port, target, words }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

async fn carry(client: TcpStream, target: String, words: Arc<OnceLock<&'static str>>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let mut answer = String::from_utf8_lossy(&buffer[..read]).into_owned();
            // Its answers are short: none comes in two pieces.
            if let Some(words) = words.get()
                && let Some(at) = answer.find("-READONLY")
            {
                let end = answer[at..].find("\r\n").map_or(answer.len(), |end| at + end + 2);
                answer.replace_range(at..end, words);
            }
            if to_client.write_all(answer.as_bytes()).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(requests, answers);
}

/// Asks until a write is taken, for as long as a recovery may take; what was said meanwhile.
async fn recovers(link: &RedisLink) -> Vec<String> {
    let began = Instant::now();
    let mut said = Vec::new();
    while let Err(error) = link.check().await {
        said.push(error.to_string());
        assert!(began.elapsed() < RECOVERY, "{said:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    said
}

async fn after_a_failover(words: Option<&'static str>) {
    let old = Server::start(&[]).await;
    let new = Server::start(&[]).await;
    let forwarder = Forwarder::start(&old.address()).await;
    let link = link(&forwarder.url(), RedisSecurity::default());
    link.check().await.unwrap();
    if let Some(words) = words {
        forwarder.words.set(words).unwrap();
    }
    forwarder.target.send_replace(new.address());
    // The old master answers on, as a replica.
    old.command(None, &["replicaof", "127.0.0.1", &new.port.to_string()]);
    let said = recovers(&link).await;
    let word = words.map_or("READONLY", |words| words[1..].split(' ').next().unwrap());
    assert!(said[0].contains(word), "it met the old master first: {said:?}");
    assert!(
        said.len() <= 2,
        "once or twice, by those who asked meanwhile: {said:?}"
    );
}

#[actix_web::test]
async fn a_master_that_became_a_replica_is_left() {
    after_a_failover(None).await;
}

#[actix_web::test]
async fn a_master_that_became_a_replica_is_left_where_a_script_says_it_in_old_words() {
    after_a_failover(Some(WRAPPED)).await;
}

#[actix_web::test]
async fn a_server_that_reads_its_data_is_left() {
    after_a_failover(Some(LOADING)).await;
}

#[actix_web::test]
async fn a_node_of_a_cluster_that_is_down_is_left() {
    after_a_failover(Some(CLUSTERDOWN)).await;
}

#[actix_web::test]
async fn a_replica_without_its_master_is_left() {
    let old = Server::start(&["--replica-serve-stale-data", "no"]).await;
    let new = Server::start(&[]).await;
    let forwarder = Forwarder::start(&old.address()).await;
    let link = link(&forwarder.url(), RedisSecurity::default());
    link.check().await.unwrap();
    forwarder.target.send_replace(new.address());
    // Nobody is there.
    old.command(None, &["replicaof", "127.0.0.1", "1"]);
    let said = recovers(&link).await;
    assert!(
        said[0].contains("MASTERDOWN") || said[0].contains("READONLY"),
        "{said:?}"
    );
}

#[actix_web::test]
async fn a_server_that_answers_and_refuses_writes_is_not_ready_and_says_why() {
    let server = Server::start(&[]).await;
    let link = link(&server.url(), RedisSecurity::default());
    link.check().await.unwrap();
    for (make, undo, words) in [
        (
            ["min-replicas-to-write", "1"],
            ["min-replicas-to-write", "0"],
            "NOREPLICAS",
        ),
        (["maxmemory", "1"], ["maxmemory", "0"], "OOM"),
    ] {
        server.command(None, &["config", "set", make[0], make[1]]);
        let said = link.check().await.unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
        server.command(None, &["config", "set", undo[0], undo[1]]);
        link.check().await.unwrap();
    }
    // A user may lack one command alone.
    for command in ["time", "zrange", "hgetall"] {
        server.command(None, &["acl", "setuser", "default", &format!("-{command}")]);
        let said = link.check().await.unwrap_err().to_string();
        assert!(said.contains(&format!("({})", command.to_uppercase())), "{said}");
        server.command(None, &["acl", "setuser", "default", &format!("+{command}")]);
        link.check().await.unwrap();
    }
    server.command(None, &["acl", "setuser", "default", "-@all", "+ping", "+acl"]);
    let said = link.check().await.unwrap_err().to_string();
    assert!(said.contains("no permissions"), "{said}");
}

#[actix_web::test]
async fn a_server_that_drops_keys_once_its_memory_is_full_says_so() {
    let server = Server::start(&["--maxmemory-policy", "volatile-lru"]).await;
    let link = link(&server.url(), RedisSecurity::default());
    assert!(!link.check().await.unwrap(), "its memory has no bound");
    server.command(None, &["config", "set", "maxmemory", "100mb"]);
    assert!(link.check().await.unwrap());
    // Whoever may not ask goes without.
    server.command(None, &["acl", "setuser", "default", "-info"]);
    assert!(!link.check().await.unwrap());
    server.command(None, &["acl", "setuser", "default", "+info"]);
    server.command(None, &["config", "set", "maxmemory-policy", "noeviction"]);
    assert!(!link.check().await.unwrap());
}

/// Who takes connections, and never says a word: a machine that hangs.
async fn silent() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[actix_web::test]
async fn a_node_that_is_named_and_silent_holds_nobody_up() {
    let silent = silent().await;
    let others = variable("RINGBACK_TEST_REDIS_CLUSTER_URL");
    let url = format!("redis://{},{others}", silent.local_addr().unwrap());
    link(&url, RedisSecurity::default()).check().await.unwrap();
}

#[actix_web::test]
async fn a_sentinel_that_is_named_first_and_silent_holds_nobody_up() {
    let silent = silent().await;
    let url = variable("RINGBACK_TEST_REDIS_SENTINEL_URL");
    let hosts = url.strip_prefix("redis+sentinel://").unwrap();
    let url = format!("redis+sentinel://{},{hosts}", silent.local_addr().unwrap());
    link(&url, RedisSecurity::default()).check().await.unwrap();
}
