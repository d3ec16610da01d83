//! A client's connection, with what the parser of HTTP leaves open: a client that stops reading is cut off, a body
//! without an end too, a line of a head that ends in a bare LF and a URI that is too long are refused, and what the parser
//! refuses is answered by a problem. While nobody asks it holds next to nothing ([`idle`]).

mod framing;
pub mod idle;
mod refusal;

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use framing::{Fault, Framing};

/// In each `write_timeout`, a client that makes answers wait has to take this much at least.
const MIN_TAKEN_BYTES: usize = 16 * 1024;

/// How long the parser waits for the next request before it goes, up to half a second less. It closes what it has to close within
/// a second.
pub const PARSER_WAITS: Duration = Duration::from_secs(3);

/// How much of what is too long of a body is thrown away, and for how long, before the connection is cut off. A client that
/// sends all of it before it reads would not see the answer otherwise: a connection that is closed with bytes unread is reset.
const THROWN_AWAY_BYTES: usize = 4 * 1024 * 1024;
const THROWS_AWAY: Duration = Duration::from_secs(1);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a body, whether it was asked for or not.
    pub body: Duration,
    /// To read what waits for it.
    pub write: Duration,
}

/// A connection that keeps to these bounds.
pub struct Connection {
    io: TcpStream,
    patience: Patience,
    framing: Framing,
    /// Runs while a body has begun and not come to its end.
    body_deadline: Option<Pin<Box<Sleep>>>,
    /// How much of a body that is too long may still be thrown away.
    thrown_away: Option<usize>,
    /// Runs while the client has something to read and doesn't.
    stall: Option<Stall>,
    /// An answer of the parser's, in the words of a problem.
    replaced: Option<Replaced>,
    /// Why the parser refuses what came last.
    has_long_uri: bool,
    /// When something was answered last.
    answered: Option<Instant>,
    /// The parser has gone since nobody asked, and left the connection open.
    idles: bool,
}

struct Stall {
    until: Pin<Box<Sleep>>,
    taken: usize,
}

struct Replaced {
    bytes: Vec<u8>,
    written: usize,
    /// How much of the original it stands for.
    stands_for: usize,
}

impl Connection {
    pub fn new(io: TcpStream, patience: Patience) -> Self {
        Self {
            io,
            patience,
            framing: Framing::default(),
            body_deadline: None,
            thrown_away: None,
            stall: None,
            replaced: None,
            has_long_uri: false,
            answered: None,
            idles: false,
        }
    }

    /// Whether a body has taken too long.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.framing.is_in_body() {
            self.body_deadline = None;
            return Poll::Pending;
        }
        let patience = self.patience.body;
        let deadline = self
            .body_deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        deadline.as_mut().poll(context)
    }

    /// Reads what comes of a body that is too long, for nobody: `left` bytes of it at most.
    fn poll_throw_away(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
        mut left: usize,
    ) -> Poll<io::Result<()>> {
        let long = || io::Error::new(io::ErrorKind::InvalidData, "the body is too long");
        let before = buffer.filled().len();
        while let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(context, buffer) {
            let came = buffer.filled().len() - before;
            buffer.set_filled(before);
            if read.is_err() || came == 0 {
                return Poll::Ready(read);
            }
            if came > left {
                return Poll::Ready(Err(long()));
            }
            left -= came;
        }
        self.thrown_away = Some(left);
        self.poll_body(context).map(|()| Err(long()))
    }

    /// Writes, and notes what the client takes.
    fn poll_write_some(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(context, bytes) {
            Poll::Ready(Ok(written)) => {
                self.answered = Some(Instant::now());
                if let Some(stall) = &mut self.stall {
                    stall.taken += written;
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_stall(context).map(Err),
        }
    }

    /// Whether the client has been still for too long.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let patience = self.patience.write;
        let stall = self.stall.get_or_insert_with(|| Stall {
            until: Box::pin(tokio::time::sleep(patience)),
            taken: 0,
        });
        while stall.until.as_mut().poll(context).is_ready() {
            if stall.taken < MIN_TAKEN_BYTES {
                // What waits in the kernel is given up as well.
                let _ = SockRef::from(&self.io).set_linger(Some(Duration::ZERO));
                return Poll::Ready(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not read",
                ));
            }
            stall.taken = 0;
            stall.until.as_mut().reset(Instant::now() + patience);
        }
        Poll::Pending
    }

    fn poll_replaced(
        &mut self,
        context: &mut Context<'_>,
        mut replaced: Replaced,
    ) -> Poll<io::Result<usize>> {
        while replaced.written < replaced.bytes.len() {
            match self.poll_write_some(context, &replaced.bytes[replaced.written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(0)),
                Poll::Ready(Ok(written)) => replaced.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.replaced = Some(replaced);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(replaced.stands_for))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(left) = self.thrown_away {
            return self.poll_throw_away(context, buffer, left);
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.io).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                let late = || io::Error::new(io::ErrorKind::TimedOut, "the body does not end");
                return self.poll_body(context).map(|()| Err(late()));
            }
        }
        match self.framing.take(&buffer.filled()[before..]) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(fault @ (Fault::BareLineFeed(at) | Fault::LongUri(at))) => {
                // The parser refuses this in any place of a head, and answers.
                buffer.filled_mut()[before + at] = 0;
                self.has_long_uri = matches!(fault, Fault::LongUri(_));
                Poll::Ready(Ok(()))
            }
            Err(Fault::EndlessBody) => {
                self.body_deadline = Some(Box::pin(tokio::time::sleep(THROWS_AWAY)));
                buffer.set_filled(before);
                self.poll_throw_away(context, buffer, THROWN_AWAY_BYTES)
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(replaced) = self.replaced.take() {
            return self.poll_replaced(context, replaced);
        }
        match refusal::find(bytes, self.has_long_uri) {
            None => self.poll_write_some(context, bytes),
            Some((0, problem)) => {
                let replaced = Replaced {
                    bytes: problem,
                    written: 0,
                    stands_for: bytes.len(),
                };
                self.poll_replaced(context, replaced)
            }
            // First what was answered before.
            Some((start, _)) => self.poll_write_some(context, &bytes[..start]),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Asked for once all is written.
        self.stall = None;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The parser ends what it closes for another reason sooner.
        let is_late = |answered: Instant| answered.elapsed() > PARSER_WAITS / 2;
        if self.framing.is_at_rest() && self.answered.is_some_and(is_late) {
            self.idles = true;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
