//! A password that is to be set, wherever it is.

use std::convert::Infallible;

use crate::{
    accounts::{OwnerWords, Password},
    http::kit::extract::{Faults, Field},
};

/// Reads a password and its confirmation, and judges it by every rule, those about its owner as well. `None`: something was
/// noted.
pub fn read(
    faults: &mut Faults,
    password: Field,
    confirm: Field,
    owner: &OwnerWords<'_>,
) -> Option<Password> {
    let password = faults.required("password", password, Password::parse);
    let confirm = faults.required("password_confirm", confirm, |text| {
        Ok::<_, Infallible>(Password::presented(text))
    });
    if let Some(password) = &password
        && let Err(error) = password.refuse_personal(owner)
    {
        faults.note("password", error.to_string());
    }
    let (password, confirm) = (password?, confirm?);
    if !password.is_same(&confirm) {
        faults.note("password_confirm", "The two passwords are not the same.");
    }
    Some(password)
}
