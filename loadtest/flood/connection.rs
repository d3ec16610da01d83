//! HTTP/1.1 as far as a load test needs it: whole requests out, a status and a length in.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What is noted of an answer.
#[derive(Clone, Copy)]
pub struct Answer {
    pub status: u16,
    /// Seconds; 0 where there was no such header.
    pub retry_after: u64,
}

impl Answer {
    /// None came.
    pub const NONE: Self = Self {
        status: 0,
        retry_after: 0,
    };
}

/// A connection that is kept open.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(4096),
        })
    }

    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = str::from_utf8(&self.read[..end]).map_err(|_| io::ErrorKind::InvalidData)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let length = number(head, "content-length");
        let answer = Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            retry_after: number(head, "retry-after"),
        };
        while ((self.read.len() - end) as u64) < length {
            self.more().await?;
        }
        Ok(answer)
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn number(head: &str, name: &str) -> u64 {
    let value = head.lines().find_map(|line| {
        let (given, value) = line.split_once(':')?;
        given.eq_ignore_ascii_case(name).then_some(value)
    });
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
