//! Which authorities may sign a server's certificate.

use std::{fs, io, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// RFC 7468, section 2.
const LINE: usize = 64;

/// Those that the system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, as PEM.
pub(super) fn of_the_system() -> Vec<u8> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificates that the system trusts can't be read");
    }
    let mut pem = String::new();
    for certificate in &found.certs {
        let text = BASE64_STANDARD.encode(certificate);
        pem.push_str(BEGIN);
        for line in text.as_bytes().chunks(LINE) {
            pem.push('\n');
            pem.extend(line.iter().copied().map(char::from));
        }
        pem.push('\n');
        pem.push_str(END);
        pem.push('\n');
    }
    pem.into_bytes()
}

/// Whether a file holds a certificate, as far as a look can say.
pub(super) fn check(file: &Path) -> Result<(), io::ErrorKind> {
    let text = fs::read(file).map_err(|error| error.kind())?;
    let holds_one = text.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes());
    if holds_one {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData)
    }
}
