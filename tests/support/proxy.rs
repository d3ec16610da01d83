//! A TCP proxy whose far side a test can take away: what the service sees of an outage.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
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
}

impl Proxy {
    /// A proxy before the server at `target` ("host:port").
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = watch::Sender::new(Mode::Open);
        let fuse = Fuse::default();
        actix_web::rt::spawn(serve(
            listener,
            target.to_owned(),
            mode.clone(),
            Arc::clone(&fuse),
        ));
        Self { address, mode, fuse }
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

async fn serve(listener: TcpListener, target: String, state: watch::Sender<Mode>, fuse: Fuse) {
    let mut mode = state.subscribe();
    let address = listener.local_addr().unwrap();
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
            None => listener.insert(TcpListener::bind(address).await.unwrap()),
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    actix_web::rt::spawn(carry(client, target.clone(), state.clone(), Arc::clone(&fuse)));
                }
            }
            changed = mode.changed() => if changed.is_err() { return },
        }
    }
}

/// One connection, from its beginning to its end.
async fn carry(client: TcpStream, target: String, state: watch::Sender<Mode>, fuse: Fuse) {
    let mut mode = state.subscribe();
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let hear = |request: &[u8]| {
        let burns = |text: &mut &str| request.windows(text.len()).any(|part| part == text.as_bytes());
        if fuse.lock().unwrap().take_if(burns).is_some() {
            state.send_replace(Mode::Mute);
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
