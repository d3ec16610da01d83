//! The contracts of the stores: one suite each, kept by every adapter.

mod otp;
mod support;
