//! The commands as an operator meets them: the real program, a database file, a simulated store on a real socket.

mod audit;
mod changes;
mod check;
mod connector;
#[path = "../it/support/dump.rs"]
mod dump;
mod engines;
mod forecast;
mod history;
mod import;
mod next_run;
mod oauth;
mod plan;
#[allow(dead_code, reason = "the other test binary uses all of it")]
#[path = "../it/support/postgres.rs"]
mod postgres;
mod records;
#[allow(dead_code, reason = "the other test binary uses all of it")]
#[path = "../it/support/rest.rs"]
mod rest;
mod secrets;
mod store;
mod support;
mod why;
