//! Which authorities may sign the certificate of a server that the service connects to: those that the system trusts, and
//! beside them those of a file.

use std::{fs, io, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// RFC 7468, section 2.
const LINE: usize = 64;

/// Those of a file, as PEM, beside those that the system trusts: what `ca_file` means, for every server.
///
/// # Errors
/// When the file can't be read, or holds no certificate.
pub fn with_file(file: &Path) -> Result<Vec<u8>, io::Error> {
    let own = fs::read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&own).collect::<Result<Vec<_>, _>>();
    if certificates.is_ok_and(|certificates| !certificates.is_empty()) {
        let mut all = of_the_system();
        all.extend_from_slice(&own);
        Ok(all)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Those that the system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, as PEM.
pub fn of_the_system() -> Vec<u8> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificates that the system trusts can't be read");
    }
    let mut pem = String::new();
    // One that can't be read is passed over, as rustls does it: it must not keep the others from being trusted.
    let readable =
        |certificate: &&CertificateDer<'_>| RootCertStore::empty().add((*certificate).clone()).is_ok();
    for certificate in found.certs.iter().filter(readable) {
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
