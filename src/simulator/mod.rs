//! A simulated Neto store.
mod calls;
pub mod catalogue;
pub mod fault;
pub mod field;
mod generate;
mod plan;
pub mod product;
mod query;
mod render;
mod spelling;
pub mod value;
mod words;
