//! Described connectors: APIs that are described in a TOML file instead of programmed (`docs/connectors.md`).
//!
//! ```text
//! file ─► Description ─► ask(position) ─► (transport) ─► answer ─► Page { records, next position }
//! ```
//!
//! Everything here but the [`Registry`], which reads files, is pure: no socket, no database, no clock. A description never
//! holds a credential.

mod ask;
mod auth;
mod description;
mod items;
mod mark;
mod mistake;
mod page;
mod paging;
mod path;
mod position;
mod present;
mod read;
mod refusal;
mod registry;
mod template;
#[cfg(test)]
mod tests;
mod walk;

pub use ask::Ask;
pub use auth::{Auth, Login, TokenCall};
pub use description::{Check, Code, Cursor, CursorFormat, Description, Errors, Failed, Flatten, Stream};
pub use mark::Mark;
pub use mistake::Mistake;
pub use page::{Bad, Page, Record};
pub use paging::{NextLink, PageSize, Paging, ParamPlace, PlacedParam, TokenPlace};
pub use path::Path;
pub use position::Position;
pub use present::present;
pub use read::MAX_FILE_BYTES;
pub use registry::{DEFAULT_DIR, Entry, NoConnector, Origin, Registry, Wrong, read_file};
pub use template::{Names, Template, UnknownPlaceholder};
