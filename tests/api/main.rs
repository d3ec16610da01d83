//! The service as its users meet it: over HTTP, on the embedded parts and on real servers alike.

mod accounts;
mod bad_input;
mod bounds;
mod browser;
mod budgets;
mod clients;
mod connections;
mod cors;
mod countries;
mod delivery;
mod flow;
mod handover;
mod hangups;
mod headers;
mod inputs;
mod languages;
mod leave;
mod ledger;
mod limits;
mod mail;
mod metrics;
mod openapi;
mod operators;
mod otp;

mod outage;
mod overload;
mod own_sessions;
mod ownership;
mod pages;
mod password_change;
mod passwords;
mod profile;
mod quickstart;
mod races;
mod receipts;
mod reset_password;
mod secrecy;
mod sessions;
mod sign_in_by_code;
mod statuses;
mod test_numbers;
mod tokens;
mod verify_email;

extern crate support;
