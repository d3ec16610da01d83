//! A password that is to be set, wherever it is.

use std::convert::Infallible;

use zeroize::Zeroizing;

use crate::{
    accounts::{OwnerWords, Password, PasswordRules},
    http::kit::extract::{Faults, Field},
};

/// Reads a password and its confirmation, and judges it by every rule, those about its owner as well. `None`: something was
/// noted.
pub async fn read(
    faults: &mut Faults,
    rules: &PasswordRules,
    (password, confirm): (Field, Field),
    owner: &OwnerWords<'_>,
) -> Option<Password> {
    let text = faults.required("password", password, |text| {
        Ok::<_, Infallible>(Zeroizing::new(text.to_owned()))
    });
    let confirm = faults.required("password_confirm", confirm, |text| {
        Ok::<_, Infallible>(Password::presented(text))
    });
    let password = match rules.judge(&text?, owner).await {
        Ok(password) => password,
        Err(error) => {
            faults.note("password", error.to_string());
            return None;
        }
    };
    if !password.is_same(&confirm?) {
        faults.note("password_confirm", "The two passwords are not the same.");
        return None;
    }
    Some(password)
}
