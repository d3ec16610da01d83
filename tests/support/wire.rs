//! HTTP by hand, for requests that no client would send.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::Answer;

/// Longer than the service waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection on which every byte is the test's own.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// Connects to `http://host:port`.
    pub async fn open(address: &str) -> Self {
        let address = address.trim_start_matches("http://");
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            read: Vec::new(),
        }
    }

    /// Writes; a service that has answered already may have stopped to listen.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Answer {
        let head = loop {
            match find(&self.read, b"\r\n\r\n") {
                Some(end) => break self.read.drain(..end + 4).collect::<Vec<_>>(),
                None => assert!(self.more().await, "no answer in {:?}", self.read),
            }
        };
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value.trim()).unwrap(),
            );
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.to_str().unwrap().parse().unwrap());
        while self.read.len() < length && self.more().await {}
        let body = self.read.drain(..length.min(self.read.len())).collect();
        let raw = String::from_utf8(body).unwrap();
        Answer {
            status,
            headers,
            body: serde_json::from_str(&raw).unwrap_or(Value::Null),
            raw,
        }
    }

    /// Whether the service closes the connection, with nothing more to say.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more().await
    }

    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        matches!(read.expect("an answer in time"), Ok(count) if count > 0)
    }
}

/// One request on a connection of its own.
pub async fn exchange(address: &str, request: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::open(address).await;
    wire.say(request).await;
    wire.answer().await
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
