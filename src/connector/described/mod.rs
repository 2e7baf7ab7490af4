//! Described connectors: APIs that are described in a TOML file instead of programmed (`docs/connectors.md`).
//!
//! ```text
//! file ─► Description ─► ask(position) ─► (transport) ─► answer ─► Page { records, next position }
//! ```
//!
//! Everything here is pure: no socket, no database, no clock. A description never holds a credential.

mod auth;
mod description;
mod mistake;
mod path;
mod paging;
mod template;

pub use auth::{Auth, Encoding, Login, SecretIn, TokenCall};
pub use description::{Check, Code, Cursor, CursorFormat, Description, Errors, Failed, Flatten, Method, Stream};
pub use mistake::Mistake;
pub use paging::{NextLink, PageSize, Paging, ParamPlace, PlacedParam, TokenPlace};
pub use path::Path;
pub use template::{Names, Template, UnknownPlaceholder};
