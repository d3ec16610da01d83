//! Whom Redis is trusted to be, and who the service is to it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ::redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::topology::RedisUrlError;
use crate::authorities;

/// Certificates for TLS.
#[derive(Debug, Clone, Default)]
pub struct RedisSecurity {
    /// PEM: whose certificates are trusted beside those that the system trusts, or those of `SSL_CERT_FILE` or
    /// `SSL_CERT_DIR`.
    pub ca_file: Option<PathBuf>,
    /// PEM: the service's certificate, with what leads to its CA, and its key, for servers that ask for one.
    pub client: Option<ClientCertificate>,
}

/// Where the service's own certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

impl RedisSecurity {
    /// The key of the first file, if there is one.
    pub(super) fn first_key(&self) -> Option<&'static str> {
        let ca = self.ca_file.as_ref().map(|_| "redis.ca_file");
        ca.or(self.client.as_ref().map(|_| "redis.client_cert_file"))
    }

    /// Reads the files. None where there are none: the system's store counts then.
    pub(super) fn certificates(&self) -> Result<Option<TlsCertificates>, RedisUrlError> {
        let root_cert = self.ca_file.as_ref().map(|file| {
            let key = "redis.ca_file";
            authorities::with_file(file).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => no_pem(key, file, "certificate"),
                _ => unreadable(key, file, &error),
            })
        });
        let client_tls = self.client.as_ref().map(|client| {
            let (certificate, key) = ("redis.client_cert_file", "redis.client_key_file");
            let client_cert = read(certificate, &client.certificate_file)?;
            let client_key = read(key, &client.key_file)?;
            if CertificateDer::from_pem_slice(&client_cert).is_err() {
                return Err(no_pem(certificate, &client.certificate_file, "certificate"));
            }
            if PrivateKeyDer::from_pem_slice(&client_key).is_err() {
                return Err(no_pem(key, &client.key_file, "private key"));
            }
            Ok(ClientTlsConfig {
                client_cert,
                client_key,
            })
        });
        let (root_cert, client_tls) = (root_cert.transpose()?, client_tls.transpose()?);
        Ok(
            (root_cert.is_some() || client_tls.is_some()).then_some(TlsCertificates {
                client_tls,
                root_cert,
            }),
        )
    }
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, RedisUrlError> {
    fs::read(file).map_err(|error| unreadable(key, file, &error))
}

fn unreadable(key: &'static str, file: &Path, error: &io::Error) -> RedisUrlError {
    RedisUrlError::of(key, format!("{} can't be read: {error}", file.display()))
}

fn no_pem(key: &'static str, file: &Path, what: &str) -> RedisUrlError {
    RedisUrlError::of(key, format!("{} has no {what} in PEM", file.display()))
}
