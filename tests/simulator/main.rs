//! `twilio-sim` as testers meet it: the program itself, over HTTP, with Ringback's own client against it.

mod faults;
mod messages;
mod receipts;
mod ringback;
mod start;
