//! The commands an operator runs, through the real program: `db`, `keys`, `check`, `run`, and the files of the service.

mod check;
mod run;
mod support;
mod tables;
mod together;
