//! What the service is run for.

/// What the service is run for (`RINGBACK_ENV`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// What is missing falls back to embedded parts.
    Development,
    /// Nothing falls back.
    Production,
}

impl Environment {
    /// Its name in `RINGBACK_ENV`, and the name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}
