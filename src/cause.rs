//! Why a server could not be reached, in words of our own: those of an error may hold what no log may.

use std::{error::Error, io};

use rustls::{CertificateError, Error as TlsError};

/// How many errors may stand behind one another.
const DEPTH: usize = 16;
/// How the standard library begins the error of a host name that nobody knows; it has no kind of its own.
const NO_HOST: &str = "failed to lookup address information";

/// Why a server could not be reached, or not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nobody listens there.
    ConnectionRefused,
    /// The other side ended the connection at once.
    ConnectionClosed,
    /// No way leads to its address.
    Unreachable,
    /// The name has no address, or nobody could be asked for it.
    HostNotFound,
    TimedOut,
    /// An authority that this machine doesn't trust has signed it, or none.
    CertificateNotTrusted,
    /// It is over, or not in force yet.
    CertificateExpired,
    /// It is for another name.
    CertificateOfAnother,
    /// It speaks no TLS, or none that is taken here.
    Tls,
    /// It offers no TLS (STARTTLS), and is told nothing without it.
    TlsNotOffered,
    /// It offers no way to log in, or none that is known here.
    LoginNotOffered,
    /// It takes addresses in ASCII alone.
    Utf8NotOffered,
}

impl Cause {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectionRefused => "connection refused",
            Self::ConnectionClosed => "connection closed",
            Self::Unreachable => "host not reachable",
            Self::HostNotFound => "host name not found",
            Self::TimedOut => "timed out",
            Self::CertificateNotTrusted => "certificate not trusted",
            Self::CertificateExpired => "certificate expired",
            Self::CertificateOfAnother => "certificate for another name",
            Self::Tls => "TLS failed",
            Self::TlsNotOffered => "TLS not offered",
            Self::LoginNotOffered => "no known way to log in",
            Self::Utf8NotOffered => "no address beyond ASCII taken (SMTPUTF8)",
        }
    }

    /// Looks for it in an error and in all that stand behind it.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        for _ in 0..DEPTH {
            let error = next?;
            if let Some(tls) = error.downcast_ref() {
                return Some(Self::of_tls(tls));
            }
            let io = error.downcast_ref::<io::Error>();
            if let Some(cause) = io.and_then(Self::of_io) {
                return Some(cause);
            }
            // An I/O error offers what is behind that which it holds, and not this itself.
            let held = io.and_then(io::Error::get_ref);
            next = held
                .map(|held| held as &(dyn Error + 'static))
                .or_else(|| error.source());
        }
        None
    }

    fn of_io(error: &io::Error) -> Option<Self> {
        use io::ErrorKind;
        Some(match error.kind() {
            ErrorKind::ConnectionRefused => Self::ConnectionRefused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            ErrorKind::TimedOut => Self::TimedOut,
            // What holds another error may say more.
            _ if error.get_ref().is_some_and(|held| held.is::<TlsError>()) => return None,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self::ConnectionClosed,
            _ if error.to_string().starts_with(NO_HOST) => Self::HostNotFound,
            _ => return None,
        })
    }

    fn of_tls(error: &TlsError) -> Self {
        use CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        };
        match error {
            TlsError::InvalidCertificate(
                Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
            ) => Self::CertificateExpired,
            TlsError::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
                Self::CertificateOfAnother
            }
            TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented => {
                Self::CertificateNotTrusted
            }
            _ => Self::Tls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct Behind(#[source] io::Error);

    #[test]
    fn the_cause_is_found_behind_other_errors() {
        let tls = |error| io::Error::new(io::ErrorKind::InvalidData, TlsError::InvalidCertificate(error));
        let lookup = io::Error::other(format!("{NO_HOST}: Name or service not known"));
        for (error, expected) in [
            (
                io::ErrorKind::ConnectionRefused.into(),
                Some("connection refused"),
            ),
            (io::ErrorKind::UnexpectedEof.into(), Some("connection closed")),
            (lookup, Some("host name not found")),
            (
                tls(CertificateError::UnknownIssuer),
                Some("certificate not trusted"),
            ),
            (tls(CertificateError::Expired), Some("certificate expired")),
            (
                tls(CertificateError::NotValidForName),
                Some("certificate for another name"),
            ),
            (
                io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    io::Error::other(TlsError::DecryptError),
                ),
                Some("connection closed"),
            ),
            (io::Error::other(TlsError::DecryptError), Some("TLS failed")),
            (io::Error::other("+14152000001"), None),
        ] {
            let shown = format!("{error:?}");
            assert_eq!(Cause::of(&Behind(error)).map(Cause::name), expected, "{shown}");
        }
    }
}
