//! A TCP proxy whose far side a test can take away: what the service sees of an outage.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::{Backends, TestApp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Everything passes.
    Open,
    /// Connections are cut, new ones refused.
    Away,
    /// Connections are accepted, and nothing passes until the proxy is open again.
    Hanging,
    /// Requests pass, answers don't until the proxy is open again.
    Mute,
}

/// A request that makes the proxy mute.
type Fuse = Arc<Mutex<Option<&'static str>>>;

/// The way to one server.
pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    fuse: Fuse,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy before the server at `target` ("host:port").
    pub async fn start(target: &str) -> Self {
        let place = bound("127.0.0.1:0".parse().unwrap());
        let address = place.local_addr().unwrap();
        let mode = watch::Sender::new(Mode::Open);
        let (fuse, connections) = (Fuse::default(), Arc::default());
        let way = Way {
            target: target.to_owned(),
            state: mode.clone(),
            fuse: Arc::clone(&fuse),
            connections: Arc::clone(&connections),
        };
        let listener = listening(address);
        actix_web::rt::spawn(serve(listener, place, way));
        Self {
            address,
            mode,
            fuse,
            connections,
        }
    }

    /// The connections that are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The server is gone: connections end, new ones are refused.
    pub fn go_away(&self) {
        self.mode.send_replace(Mode::Away);
    }

    /// The server, or the way to it, is silent.
    pub fn hang(&self) {
        self.mode.send_replace(Mode::Hanging);
    }

    /// The server hears the next request that holds this text, and is not heard from then on.
    pub fn mute_at(&self, request: &'static str) {
        *self.fuse.lock().unwrap() = Some(request);
    }

    /// All is well again; what was held back goes on its way.
    pub fn come_back(&self) {
        self.mode.send_replace(Mode::Open);
    }
}

/// Where connections go, and what becomes of them.
#[derive(Clone)]
struct Way {
    target: String,
    state: watch::Sender<Mode>,
    fuse: Fuse,
    connections: Arc<AtomicUsize>,
}

/// A socket at this address. While it does not listen, another may.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listening(address: SocketAddr) -> TcpListener {
    bound(address).listen(1024).unwrap()
}

/// `place` keeps the port while nobody listens: a test beside this one would be given it.
async fn serve(listener: TcpListener, place: TcpSocket, way: Way) {
    let mut mode = way.state.subscribe();
    let address = place.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        if *mode.borrow_and_update() == Mode::Away {
            listener = None;
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match &listener {
            Some(open) => open,
            None => listener.insert(listening(address)),
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    let way = way.clone();
                    way.connections.fetch_add(1, Ordering::SeqCst);
                    actix_web::rt::spawn(async move {
                        carry(client, &way).await;
                        way.connections.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
            changed = mode.changed() => if changed.is_err() { return },
        }
    }
}

/// One connection, from its beginning to its end.
async fn carry(client: TcpStream, way: &Way) {
    let mut mode = way.state.subscribe();
    let Ok(server) = TcpStream::connect(&way.target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let hear = |request: &[u8]| {
        let burns = |text: &mut &str| request.windows(text.len()).any(|part| part == text.as_bytes());
        if way.fuse.lock().unwrap().take_if(burns).is_some() {
            way.state.send_replace(Mode::Mute);
        }
    };
    let requests = pump(
        client_read,
        server_write,
        mode.clone(),
        &[Mode::Open, Mode::Mute],
        hear,
    );
    let answers = pump(server_read, client_write, mode.clone(), &[Mode::Open], |_| {});
    tokio::select! {
        _ = async { tokio::join!(requests, answers) } => {}
        _ = mode.wait_for(|mode| *mode == Mode::Away) => {}
    }
}

/// Carries bytes one way, while one of `modes` holds.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    modes: &[Mode],
    hear: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        hear(&buffer[..length]);
        if mode.wait_for(|mode| modes.contains(mode)).await.is_err()
            || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// The ways to everything that a service on real servers needs.
pub struct Proxies {
    pub database: Proxy,
    pub redis: Proxy,
    pub provider: Proxy,
}

impl TestApp {
    /// A service on real servers, each behind a proxy.
    pub async fn start_behind_proxies(variables: &[(&str, &str)]) -> (Self, Proxies) {
        let mut prepared = Self::prepare(Backends::Servers, variables).await;
        let mut put_before = async |variable: &str| {
            let url = prepared.environment.get_mut(variable).unwrap();
            let target = authority(url).to_owned();
            let proxy = Proxy::start(&target).await;
            *url = url.replace(&target, &proxy.address.to_string());
            proxy
        };
        let proxies = Proxies {
            database: put_before("DATABASE_URL").await,
            redis: put_before("REDIS_URL").await,
            provider: put_before("TWILIO_BASE_URL").await,
        };
        (prepared.start().await, proxies)
    }
}

/// Host and port of a URL.
fn authority(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    let rest = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}
