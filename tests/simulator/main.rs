//! `twilio-sim` as testers meet it: the program itself, over HTTP, with Ringback's own client against it.

mod faults;
mod messages;
mod receipts;
mod ringback;
mod simulator;
mod start;

// The service as its own tests start it: not all of that is used here.
#[allow(dead_code)]
#[path = "../api/support/answer.rs"]
mod answer;
#[allow(dead_code)]
#[path = "../api/support/provider.rs"]
mod provider;
#[allow(dead_code)]
#[path = "../binary/service.rs"]
mod service;
