//! Connections: what the parser of HTTP refuses by itself, clients that don't read, bodies without an end, idle ones.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::support::{Backends, TestApp, Wire, eventually};

const LARGEST: &str = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n";

async fn start(variables: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(Backends::Embedded, variables).await
}

fn address(app: &TestApp) -> std::net::SocketAddr {
    app.address.trim_start_matches("http://").parse().unwrap()
}

#[actix_web::test]
async fn what_the_parser_refuses_is_a_problem_like_all_others() {
    let app = start(&[("RINGBACK__SERVER__REQUEST_TIMEOUT", "300ms")]).await;
    let unparsed = async || {
        app.metric("ringback_http_requests_total", &["route=\"unparsed\""])
            .await
    };
    let before = unparsed().await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(200_000));
    let long_uri = format!("GET /?{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(16 * 1024));
    let endless_uri = format!("GET /?{}", "a".repeat(200_000));
    for (said, status, code) in [
        ("BLAH\r\n\r\n", 400, "malformed_request"),
        ("GET / HTTP/9\r\n\r\n", 400, "malformed_request"),
        (
            "GET / HTTP/1.1\r\nhost: x\r\nfo o: y\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            400,
            "malformed_request",
        ),
        (&long, 431, "headers_too_large"),
        (&long_uri, 414, "uri_too_long"),
        (&endless_uri, 414, "uri_too_long"),
        ("GET /healthz HTTP/1.1\r\nho", 408, "request_timeout"),
    ] {
        let mut wire = Wire::open(&app.address).await;
        wire.say(said).await;
        let answer = wire.answer().await;
        let shown = &said[..said.len().min(60)];
        assert_eq!((answer.status, answer.text("code")), (status, code), "{shown}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{shown}"
        );
        assert_eq!(
            answer.header("x-request-id"),
            answer.text("request_id"),
            "{shown}"
        );
    }
    assert!(unparsed().await - before >= 9.0, "each is counted");
}

#[actix_web::test]
async fn a_line_of_a_head_that_ends_in_a_bare_line_feed_is_refused_and_none_of_a_body() {
    let app = start(&[]).await;
    for said in [
        "GET /healthz HTTP/1.1\nhost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\n",
        "\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut wire = Wire::open(&app.address).await;
        wire.say(said).await;
        wire.answer().await.is(400, "malformed_request");
    }
    let mut wire = Wire::open(&app.address).await;
    let body = "{\n\"email\":\n\"a@example.com\"}";
    let login = format!(
        "POST /api/users/login/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let chunked = format!(
        "POST /api/users/login/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    // One connection, several requests: where one ends is known.
    for _ in 0..2 {
        wire.say(&login).await;
        wire.answer().await.is(400, "validation_failed");
        wire.say(&chunked).await;
        wire.answer().await.is(400, "validation_failed");
    }
    wire.say("GET /healthz HTTP/1.1\nhost: x\r\n\r\n").await;
    wire.answer().await.is(400, "malformed_request");
}

#[actix_web::test]
async fn a_body_that_comes_long_after_its_head_is_taken_as_it_comes() {
    const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let app = start(&[]).await;
    let mut stream = TcpStream::connect(address(&app)).await.unwrap();
    let body = b"{\"email\":\"a@example.com\"}";
    let head = format!(
        "POST /api/users/login/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Whoever reads the body waits for it by then.
    let mut said = vec![0; GO_ON.len()];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, GO_ON);
    for piece in body.chunks(9) {
        stream.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    said.clear();
    let answered = timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await;
    answered.expect("nobody saw the body come").unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.starts_with("HTTP/1.1 400 ") && said.contains("validation_failed"),
        "{said}"
    );
}

/// Sends pieces of a body until the service has had enough; how long that took, and how many bytes.
async fn send_without_end(app: &TestApp, piece: &[u8], pause: Duration) -> (Duration, usize) {
    let mut stream = TcpStream::connect(address(app)).await.unwrap();
    let head = b"GET /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let (began, mut sent) = (Instant::now(), 0);
    let all = async {
        while stream.write_all(piece).await.is_ok() {
            sent += piece.len();
            // A slow client, if there is a pause.
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    };
    timeout(Duration::from_secs(20), all)
        .await
        .expect("it is read for ever");
    (began.elapsed(), sent)
}

#[actix_web::test]
async fn a_body_that_nobody_asked_for_is_bounded_in_bytes_and_in_time() {
    let app = start(&[("RINGBACK__SERVER__REQUEST_TIMEOUT", "1s")]).await;
    let chunk = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat();
    let (_, sent) = send_without_end(&app, &chunk, Duration::ZERO).await;
    // What the kernel of this machine holds besides is some MiB.
    assert!(sent < 16 * 1024 * 1024, "{sent}");
    let (took, _) = send_without_end(&app, b"1\r\nx\r\n", Duration::from_millis(50)).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// As most clients do: an answer that comes before they have sent everything is read after it.
#[actix_web::test]
async fn a_client_that_sends_far_too_much_before_it_reads_sees_why_it_is_refused() {
    let app = start(&[]).await;
    let body = vec![b' '; 3 * 1024 * 1024];
    let sized = [
        format!("content-length: {}\r\n\r\n", body.len()).as_bytes(),
        &body,
    ]
    .concat();
    let chunk = [
        format!("{:x}\r\n", body.len()).as_bytes(),
        &body,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let chunked = [&b"transfer-encoding: chunked\r\n\r\n"[..], &chunk].concat();
    for body in [sized, chunked] {
        for _ in 0..10 {
            let socket = TcpSocket::new_v4().unwrap();
            // Else the kernel takes all of it.
            socket.set_send_buffer_size(128 * 1024).unwrap();
            let mut stream = socket.connect(address(&app)).await.unwrap();
            let head = b"POST /api/users/login/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
            stream.write_all(head).await.unwrap();
            stream.write_all(&body).await.expect("it is cut off");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 413");
        }
    }
}

#[actix_web::test]
async fn clients_that_do_not_read_are_cut_off_and_others_are_served() {
    let app = start(&[("RINGBACK__SERVER__WRITE_TIMEOUT", "1s")]).await;
    let whole = app.get("/docs/swagger-ui-bundle.js").await;
    assert_eq!(whole.status, 200);
    let stalled = join_all((0..200).map(|_| async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address(&app)).await.unwrap();
        stream.write_all(LARGEST.as_bytes()).await.unwrap();
        stream
    }))
    .await;
    app.get("/healthz").await;
    for mut stream in stalled {
        // Nothing is read before it is cut off: a service that waited would go on sending.
        eventually("its end", async || stream.take_error().unwrap()).await;
        let mut read = Vec::new();
        let end = timeout(Duration::from_secs(10), stream.read_to_end(&mut read)).await;
        let _ = end.expect("the connection is still open");
        assert!(read.len() < 300_000, "{}", read.len());
    }
    assert_eq!(app.get("/docs/swagger-ui-bundle.js").await.status, 200);
}

#[actix_web::test]
async fn a_slow_reader_that_goes_on_reading_gets_all_of_it() {
    let app = start(&[("RINGBACK__SERVER__WRITE_TIMEOUT", "1s")]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(address(&app)).await.unwrap();
    let asked = LARGEST.replace("host: x", "host: x\r\nconnection: close");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let (mut read, mut piece) = (0, vec![0; 32 * 1024]);
    loop {
        let length = stream.read(&mut piece).await.unwrap();
        if length == 0 {
            break;
        }
        read += length;
        // A slow reader is what this is about.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(read > 300_000, "{read}");
}

#[actix_web::test]
async fn an_idle_connection_is_kept_for_as_long_as_is_set() {
    let app = start(&[("RINGBACK__SERVER__KEEP_ALIVE", "1s")]).await;
    let mut stream = TcpStream::connect(address(&app)).await.unwrap();
    let mut piece = [0; 4096];
    for _ in 0..2 {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert!(stream.read(&mut piece).await.unwrap() > 0);
    }
    let began = Instant::now();
    let end = timeout(Duration::from_secs(10), stream.read(&mut piece)).await;
    assert_eq!(end.expect("it is kept for ever").unwrap(), 0);
    assert!(
        began.elapsed() > Duration::from_millis(600),
        "{:?}",
        began.elapsed()
    );
}

/// Requests with pauses between them in which the parser goes, on one connection; and the end of the service while nobody asks.
#[actix_web::test]
async fn a_connection_that_idled_for_long_is_served_again_and_closed_at_the_end() {
    let mut app = start(&[]).await;
    let mut stream = TcpStream::connect(address(&app)).await.unwrap();
    let mut piece = [0; 4096];
    for pause in [3200, 50, 3200] {
        for half in ["GET /healthz HTT", "P/1.1\r\nhost: x\r\n\r\n"] {
            stream.write_all(half.as_bytes()).await.unwrap();
            // So that the halves come one by one.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let length = stream.read(&mut piece).await.unwrap();
        assert!(piece[..length].starts_with(b"HTTP/1.1 200"));
        // A client that idles, for longer than the parser waits or not, is what this is about.
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    let end = async { stream.read(&mut piece).await };
    let ((), end) = tokio::join!(
        app.running.take().unwrap().stop(),
        timeout(Duration::from_secs(10), end)
    );
    assert_eq!(end.expect("it is left open").unwrap(), 0);
}

#[actix_web::test]
async fn the_reference_page_can_be_left_out() {
    let app = start(&[("RINGBACK__SERVER__DOCS", "false")]).await;
    for path in ["/docs", "/docs/", "/docs/swagger-ui-bundle.js"] {
        app.get(path).await.is(404, "not_found");
    }
    let document = app.get("/openapi.json").await;
    assert_eq!(document.status, 200);
    assert!(document.body["paths"]["/docs/"].is_null());
}
