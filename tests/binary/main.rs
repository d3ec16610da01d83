//! The program as its operators meet it: started, configured, signalled and stopped as a process of its own.

mod balancer;
mod commands;
mod config;
mod log;
mod operators;
mod outputs;
mod production;
mod restore;
mod serve;
mod service_manager;
mod stop;
mod upgrade;
mod watch;
