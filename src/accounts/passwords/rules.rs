//! The one entry for every new password, whoever sets it: at registration, at a change, at a reset.

use std::path::PathBuf;

use super::{BreachFile, BreachFileError, OwnerWords, Password, PasswordError, context::ContextWords};

/// What operators may set of it.
#[derive(Debug, Clone)]
pub struct PasswordRuleOptions {
    /// Characters that a new password has at least.
    pub min_length: usize,
    /// A list of stolen passwords.
    pub breach_file: Option<PathBuf>,
}

/// Which passwords may be set. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PasswordRules {
    min_length: usize,
    breach: Option<BreachFile>,
    service: ContextWords,
}

impl PasswordRules {
    /// Opens the list of stolen passwords, if there is one. `brand` is the service's name.
    ///
    /// # Errors
    /// [`BreachFileError`].
    pub fn new(options: &PasswordRuleOptions, brand: &str) -> Result<Self, BreachFileError> {
        let breach = options.breach_file.as_deref().map(BreachFile::open);
        Ok(Self {
            min_length: options.min_length,
            breach: breach.transpose()?,
            service: ContextWords::of_service(brand),
        })
    }

    /// Characters that a new password has at least.
    pub fn min_length(&self) -> usize {
        self.min_length
    }

    /// Judges a new password for an account: by all rules.
    ///
    /// # Errors
    /// A [`PasswordError`] that can be shown to whoever typed it.
    pub async fn judge(&self, text: &str, owner: &OwnerWords<'_>) -> Result<Password, PasswordError> {
        let password = self.accept(text).await?;
        password.refuse_personal(owner)?;
        Ok(password)
    }

    /// Judges it by the rules that hold for every account: for whoever doesn't know the account yet, and asks
    /// [`Password::refuse_personal`] once it does.
    ///
    /// # Errors
    /// As for [`PasswordRules::judge`].
    pub async fn accept(&self, text: &str) -> Result<Password, PasswordError> {
        let password = Password::parse(text, self.min_length)?;
        if self.service.make(&password) {
            return Err(PasswordError::Service);
        }
        match &self.breach {
            Some(breach) if breach.has(&password).await => Err(PasswordError::Breached),
            _ => Ok(password),
        }
    }
}
