//! The commands an operator runs, through the real program: `db`, `keys`, `check`, `run`, and the files of the service.

mod check;
mod consent;
mod http;
mod import;
mod install;
mod pages;
mod reload;
mod run;
mod service;
mod simulate;
mod support;
mod systemd;
mod tables;
mod together;
mod unit;
