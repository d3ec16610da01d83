//! Whom Redis is trusted to be, and who the service is to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ::redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::topology::RedisUrlError;

/// Certificates for TLS.
#[derive(Debug, Clone, Default)]
pub struct RedisSecurity {
    /// PEM: whose certificates are trusted, these alone. None: what `SSL_CERT_FILE` or `SSL_CERT_DIR` name, else the
    /// system's store.
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
    /// Reads the files. None where there are none: the system's store counts then.
    pub(super) fn certificates(&self) -> Result<Option<TlsCertificates>, RedisUrlError> {
        let root_cert = self.ca_file.as_ref().map(|file| {
            let pem = read("redis.ca_file", file)?;
            let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            match certificates {
                Ok(certificates) if !certificates.is_empty() => Ok(pem),
                _ => Err(no_pem("redis.ca_file", file, "certificate")),
            }
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
    let failed = |error| RedisUrlError::of(key, format!("{} can't be read: {error}", file.display()));
    fs::read(file).map_err(failed)
}

fn no_pem(key: &'static str, file: &Path, what: &str) -> RedisUrlError {
    RedisUrlError::of(key, format!("{} has no {what} in PEM", file.display()))
}
