//! The certificate by which the service shows a server who it is, and its key.

use std::{fs, io, path::Path};

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use thiserror::Error;

/// Both files, as they are: PEM.
pub struct Identity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

/// Which of the two files is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityFile {
    Certificate,
    Key,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdentityFault {
    #[error("can't be read ({0})")]
    Unreadable(io::ErrorKind),
    #[error("has no certificate in PEM")]
    NoCertificate,
    #[error("has no private key in PEM")]
    NoKey,
    #[error("has the key of another certificate, or of a kind that TLS doesn't know here")]
    OtherKey,
}

/// Why the service can't show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{fault}")]
pub struct IdentityError {
    pub file: IdentityFile,
    pub fault: IdentityFault,
}

/// Reads both files, and sees that they belong together.
///
/// # Errors
/// [`IdentityError`].
pub fn read(certificate_file: &Path, key_file: &Path) -> Result<Identity, IdentityError> {
    let certificate = read_file(IdentityFile::Certificate, certificate_file)?;
    let key = read_file(IdentityFile::Key, key_file)?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    if chain.is_empty() {
        return Err(wrong(IdentityFile::Certificate, IdentityFault::NoCertificate));
    }
    let Ok(private) = PrivateKeyDer::from_pem_slice(&key) else {
        return Err(wrong(IdentityFile::Key, IdentityFault::NoKey));
    };
    CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())
        .map_err(|_| wrong(IdentityFile::Key, IdentityFault::OtherKey))?;
    Ok(Identity { certificate, key })
}

fn read_file(file: IdentityFile, path: &Path) -> Result<Vec<u8>, IdentityError> {
    fs::read(path).map_err(|error| wrong(file, IdentityFault::Unreadable(error.kind())))
}

fn wrong(file: IdentityFile, fault: IdentityFault) -> IdentityError {
    IdentityError { file, fault }
}
