//! What is kept, and how credentials are sealed in it.

pub mod crypter;
pub mod master_key;
