//! A server that plays a provider, well or badly, one request a connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Writes these bytes and closes.
    Say(Vec<u8>),
    /// Writes these bytes after a while, and closes.
    SayLate(Duration, Vec<u8>),
    /// Writes these bytes, then filler without end.
    Flood(Vec<u8>),
    /// Writes these bytes, then a chunk of one byte now and then, without end.
    Drip(Vec<u8>),
    /// Answers nothing.
    Hang,
    /// Resets the connection when it has the request.
    Reset,
    /// Resets the connection without reading anything.
    Shut,
}

impl Act {
    /// An answer with a status, more header lines, and a body.
    pub fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for header in headers {
            bytes += &format!("{header}\r\n");
        }
        bytes += "connection: close\r\n\r\n";
        Self::Say([bytes.as_bytes(), body].concat())
    }

    /// A success whose body is this JSON.
    pub fn json(body: &serde_json::Value) -> Self {
        Self::answer(200, &["content-type: application/json"], body.to_string())
    }

    /// Twilio's error document.
    pub fn error(status: u16, code: u32) -> Self {
        let body = format!(
            r#"{{"code":{code},"message":"…","more_info":"https://www.twilio.com/docs/errors/{code}","status":{status}}}"#
        );
        Self::answer(status, &["content-type: application/json"], body)
    }
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    /// Lines, as they were.
    pub headers: Vec<String>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

#[derive(Clone)]
pub struct FakeProvider {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<Request>>>,
    /// Bytes that the other side took before it had enough.
    pub flooded: Arc<AtomicUsize>,
    pub connections: Arc<AtomicUsize>,
}

impl FakeProvider {
    /// Does the same with every request.
    pub async fn start(act: Act) -> Self {
        Self::follow(vec![act]).await
    }

    /// Does one act after the other, and the last one from then on.
    pub async fn follow(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            flooded: Arc::default(),
            connections: Arc::default(),
        };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = serving.connections.fetch_add(1, Ordering::SeqCst);
                let act = script[number.min(script.len() - 1)].clone();
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream, act).await });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn last_request(&self) -> Request {
        self.requests.lock().unwrap().last().cloned().unwrap()
    }

    async fn serve(&self, mut stream: TcpStream, act: Act) {
        if let Act::Shut = act {
            socket_linger_zero(&stream);
            return;
        }
        let Some(request) = read_request(&mut stream).await else {
            return;
        };
        self.requests.lock().unwrap().push(request);
        match act {
            Act::SayLate(pause, bytes) => {
                tokio::time::sleep(pause).await;
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Act::Say(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Act::Flood(bytes) => {
                let _ = stream.write_all(&bytes).await;
                while let Ok(written) = stream.write(&[b'x'; 16 * 1024]).await {
                    self.flooded.fetch_add(written, Ordering::SeqCst);
                }
            }
            Act::Drip(bytes) => {
                let _ = stream.write_all(&bytes).await;
                while stream.write_all(b"1\r\n \r\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Act::Hang => std::future::pending().await,
            Act::Reset | Act::Shut => socket_linger_zero(&stream),
        }
    }
}

#[expect(
    deprecated,
    reason = "a linger of zero does not block, and is what makes a reset"
)]
fn socket_linger_zero(stream: &TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n").map(str::to_owned);
    let mut request = Request {
        line: lines.next()?,
        headers: lines.collect(),
        body: String::new(),
    };
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    request.body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
    Some(request)
}
