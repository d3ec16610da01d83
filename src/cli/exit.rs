//! How a command that was refused ends.

use std::process::ExitCode;

use crate::{output, settings::Faults};

/// sysexits.h `EX_CONFIG`: the configuration was refused.
pub const EX_CONFIG: u8 = 78;

/// Says what is wrong with the configuration.
pub fn refuse(faults: &Faults) -> ExitCode {
    output::complain(faults);
    ExitCode::from(EX_CONFIG)
}
