//! The commands as an operator meets them: the real program, a database file, a simulated store on a real socket.

mod check;
mod history;
mod secrets;
mod store;
mod support;
