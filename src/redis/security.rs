//! Whom Redis is trusted to be, and who the service is to it.

use std::{io, path::PathBuf};

use ::redis::{ClientTlsConfig, TlsCertificates};

use super::topology::RedisUrlError;
use crate::{
    authorities,
    identity::{self, IdentityFile},
};

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
            authorities::with_file(file).map_err(|error| {
                let why = match error.kind() {
                    io::ErrorKind::InvalidData => "has no certificate in PEM".to_owned(),
                    _ => format!("can't be read: {error}"),
                };
                RedisUrlError::of(key, format!("{} {why}", file.display()))
            })
        });
        let client_tls = self.client.as_ref().map(|client| {
            let read = identity::read(&client.certificate_file, &client.key_file);
            let identity = read.map_err(|error| {
                let (key, file) = match error.file {
                    IdentityFile::Certificate => ("redis.client_cert_file", &client.certificate_file),
                    IdentityFile::Key => ("redis.client_key_file", &client.key_file),
                };
                RedisUrlError::of(key, format!("{} {error}", file.display()))
            })?;
            Ok(ClientTlsConfig {
                client_cert: identity.certificate,
                client_key: identity.key,
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
