//! A simulated Neto store.
pub mod catalogue;
pub mod field;
mod generate;
mod plan;
pub mod product;
pub mod value;
mod words;
