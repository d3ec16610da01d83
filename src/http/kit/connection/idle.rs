//! A connection on which nobody asks holds next to nothing: some time after an answer the parser goes with its buffers, and the
//! next request finds a new one.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{Protocol, error::DispatchError};
use actix_service::{Service, ServiceFactory};
use actix_web::rt::{net::TcpStream, time::timeout};
use futures_util::future::{Either, LocalBoxFuture, select};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connection, PARSER_WAITS, Patience};

/// What the parser serves: its share of a connection, the protocol, and who has connected.
pub type Lent = (Share, Protocol, Option<SocketAddr>);

/// A share of a connection. The parser has one while it is there.
#[derive(Clone)]
pub struct Share(Rc<RefCell<Connection>>);

/// Serves connections by parsers that come and go.
#[derive(Clone)]
pub struct Serving<P, E> {
    /// Makes parsers; for a worker, what it has made.
    pub parser: P,
    pub patience: Patience,
    /// How long a connection may idle, the parser's wait included.
    pub keep_alive: Duration,
    /// Comes when the service ends.
    pub ending: E,
}

impl<P, E, F> ServiceFactory<TcpStream> for Serving<P, E>
where
    P: ServiceFactory<Lent, Response = (), Error = DispatchError, Config = ()>,
    P::Service: 'static,
    P::Future: 'static,
    E: Fn() -> F + Clone + 'static,
    F: Future<Output = ()> + 'static,
{
    type Response = ();
    type Error = DispatchError;
    type Config = ();
    type Service = Serving<Rc<P::Service>, E>;
    type InitError = P::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let parser = self.parser.new_service(());
        let (patience, keep_alive, ending) = (self.patience, self.keep_alive, self.ending.clone());
        Box::pin(async move {
            Ok(Serving {
                parser: Rc::new(parser.await?),
                patience,
                keep_alive,
                ending,
            })
        })
    }
}

impl<S, E, F> Service<TcpStream> for Serving<Rc<S>, E>
where
    S: Service<Lent, Response = (), Error = DispatchError> + 'static,
    S::Future: 'static,
    E: Fn() -> F + Clone + 'static,
    F: Future<Output = ()> + 'static,
{
    type Response = ();
    type Error = DispatchError;
    type Future = LocalBoxFuture<'static, Result<(), DispatchError>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), DispatchError>> {
        self.parser.poll_ready(context)
    }

    fn call(&self, io: TcpStream) -> Self::Future {
        let peer = io.peer_addr().ok();
        let share = Share(Rc::new(RefCell::new(Connection::new(io, self.patience))));
        let (parser, ending) = (Rc::clone(&self.parser), self.ending.clone());
        let idle = self.keep_alive.saturating_sub(PARSER_WAITS);
        Box::pin(async move {
            loop {
                // In a place of its own, so that nothing of it is kept while nobody asks.
                Box::pin(parser.call((share.clone(), Protocol::Http1, peer))).await?;
                if !share.0.borrow().idles {
                    return Ok(());
                }
                if !share.is_asked(idle, ending()).await {
                    return share.close().await.map_err(DispatchError::Io);
                }
                share.0.borrow_mut().idles = false;
            }
        })
    }
}

impl Share {
    /// Whether something comes before the time is over, and before the service ends.
    async fn is_asked(&self, within: Duration, ending: impl Future<Output = ()>) -> bool {
        let asked = poll_fn(|context| {
            let mut first = [0];
            self.0
                .borrow()
                .io
                .poll_peek(context, &mut ReadBuf::new(&mut first))
        });
        let (asked, ending) = (pin!(asked), pin!(ending));
        let first = timeout(within, select(asked, ending)).await;
        matches!(first, Ok(Either::Left((Ok(1..), _))))
    }

    async fn close(&self) -> io::Result<()> {
        poll_fn(|context| Pin::new(&mut self.0.borrow_mut().io).poll_shutdown(context)).await
    }
}

impl AsyncRead for Share {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Share {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(context)
    }
}
