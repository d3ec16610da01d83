//! A server with a certificate that nobody vouches for.

use std::{
    io::Read,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

/// For `localhost` and `127.0.0.1`, good until 2126, made for this test alone.
const CERTIFICATE: &str = "MIIBmzCCAUGgAwIBAgIUDuxWXZU1kLCepr1zorML+REnJh8wCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0\
    MCAXDTI2MTEyMzA5MTE1MVoYDzIxMjYxMDMwMDkxMTUxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASh\
    6CwpbV3Sm0a4BBPSgrPSPnsIvQJJm9Ugkw0yYCHRyBmQitxuL9cActmvRM7vxO/rwidp7It52mfRzJHFTCtbo28wbTAdBgNVHQ4EFgQULUQGDWFf\
    oBiULy3rpdIjt2HyCkcwHwYDVR0jBBgwFoAULUQGDWFfoBiULy3rpdIjt2HyCkcwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhv\
    c3SHBH8AAAEwCgYIKoZIzj0EAwIDSAAwRQIhAJQB4QVCflEtPPi4aInjc42tpblHb1prg0bTQT0yAbqwAiBEaEzLzQ2vlI06TZpJrUC0Jd1cOKTx\
    eI4VlqIt6FYvVw==";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFmFpHsMZOvQbWxZSTz0rZM5bC6CSqc+B0R6u+fsD1QShRANC\
    AASh6CwpbV3Sm0a4BBPSgrPSPnsIvQJJm9Ugkw0yYCHRyBmQitxuL9cActmvRM7vxO/rwidp7It52mfRzJHFTCtb";

/// What came of each connection: what was read of it, and why it ended.
#[derive(Clone, Default)]
pub struct Visits(Arc<Mutex<Vec<(String, String)>>>);

impl Visits {
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().clone()
    }
}

/// Serves until the test ends.
pub fn start() -> (SocketAddr, Visits) {
    let certificate = CertificateDer::from(BASE64_STANDARD.decode(CERTIFICATE).unwrap());
    let key = PrivatePkcs8KeyDer::from(BASE64_STANDARD.decode(KEY).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, visits) = (listener.local_addr().unwrap(), Visits::default());
    let noted = visits.clone();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut read = String::new();
            let ended = Stream::new(&mut connection, &mut socket).read_to_string(&mut read);
            noted.0.lock().unwrap().push((read, format!("{ended:?}")));
        }
    });
    (address, visits)
}
