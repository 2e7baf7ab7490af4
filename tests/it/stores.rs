//! Stores and their credentials, on both engines.
