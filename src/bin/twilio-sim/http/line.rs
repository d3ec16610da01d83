//! Faults of the connection: what goes wrong with an answer on its way.

use std::{any::Any, io, net, os::fd::AsFd, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, dev::Extensions, http::StatusCode, web::Bytes};
use futures_util::stream;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use super::answers::Refusal;
use crate::profile::{Fault, What};

/// How long a hang lasts, and over how long a drip is spread, where the profile doesn't say.
const HANG: Duration = Duration::from_secs(60);
const DRIP: Duration = Duration::from_secs(5);
const DRIPS: u32 = 20;

/// A second handle to the client's connection, to reset it.
#[derive(Clone)]
struct Line(Arc<net::TcpStream>);

/// Keeps a handle to each new connection.
pub fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<TcpStream>();
    let handle = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok());
    if let Some(handle) = handle {
        extensions.insert(Line(Arc::new(handle.into())));
    }
}

/// What the client gets in place of the `good` answer.
pub async fn spoil(
    request: &HttpRequest,
    fault: &Fault,
    good: impl FnOnce() -> (StatusCode, Vec<u8>),
) -> HttpResponse {
    match fault.what {
        What::Error => {
            let status = fault.status.unwrap_or(400);
            let mut answer = Refusal::simulated(status, fault.code.unwrap_or(20001)).answer();
            if let Some(pause) = fault.retry_after {
                let seconds = pause.0.as_millis().div_ceil(1000).to_string();
                if let Ok(seconds) = seconds.try_into() {
                    answer
                        .headers_mut()
                        .insert(actix_web::http::header::RETRY_AFTER, seconds);
                }
            }
            answer
        }
        What::Garbage => {
            let status = StatusCode::from_u16(fault.status.unwrap_or(502)).unwrap_or(StatusCode::BAD_GATEWAY);
            HttpResponse::build(status)
                .content_type("text/html")
                .body("<html><head><title>Oops</title></head><body><h1>Bad Gateway</h1>")
        }
        What::Hang => {
            sleep(fault.over.map_or(HANG, |over| over.0)).await;
            cut()
        }
        What::Cut => cut(),
        What::Reset => {
            if let Some(Line(stream)) = request.conn_data::<Line>()
                && let Ok(handle) = stream.try_clone()
            {
                // From now on the connection's end, whoever closes it last, is a reset.
                let _ = TcpSocket::from_std_stream(handle).set_zero_linger();
            }
            cut()
        }
        What::Drip => {
            let (status, body) = good();
            let pause = fault.over.map_or(DRIP, |over| over.0) / DRIPS;
            let length = body.len().div_ceil(DRIPS as usize).max(1);
            let pieces: Vec<_> = body.chunks(length).map(Bytes::copy_from_slice).collect();
            let drops = stream::unfold(pieces.into_iter(), move |mut pieces| async move {
                sleep(pause).await;
                pieces.next().map(|piece| (Ok::<_, io::Error>(piece), pieces))
            });
            HttpResponse::build(status)
                .content_type("application/json")
                .streaming(drops)
        }
    }
}

/// Closes the connection without a byte: a body that fails before its head is on its way.
fn cut() -> HttpResponse {
    let failure = io::Error::other("cut, as the profile says");
    HttpResponse::Ok().streaming(stream::iter([Err::<Bytes, _>(failure)]))
}
