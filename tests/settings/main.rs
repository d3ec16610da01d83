//! The configuration as an operator meets it: files in a folder, variables, one line for each fault.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod events;
mod faults;
mod layers;
mod place;
mod providers;
mod rules;
mod safety;
mod test_numbers;
mod texts;
mod values;
