//! Finds the master keys, and makes the first one where that is safe.
//!
//! They are looked for in this order; the first place that has a file is used:
//!
//! 1. `secrets.key_file`. When it is configured, it must exist: `netosync keys init` makes it.
//! 2. `$CREDENTIALS_DIRECTORY/netosync.key`: systemd's `LoadCredential=netosync.key:…`.
//! 3. With SQLite only: `<database file>.key`, made on first use. Never when credentials are sealed already: a new key
//!    would not open them and would hide that the old one is lost.
//!
//! The file holds one key a line, `netosync-key-1:` and 32 bytes in base64. The first seals, the others open what was sealed
//! before a rotation (`netosync keys rotate`, [`super::key_file`]). Empty lines and lines that begin with `#` mean nothing. It is private to its owner (`chmod 600`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::crypter::{Crypter, MasterKey};
use crate::config::Config;

/// What a line with a key begins with.
pub const LINE_START: &str = "netosync-key-1:";

/// The name under which systemd hands the file over.
const CREDENTIAL: &str = "netosync.key";

/// More is no key file.
const MAX_BYTES: u64 = 64 << 10;

/// Why there is no master key to work with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It exists and cannot be read.
    #[error("the key file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("the key file {0} can be read by others than its owner (mode {mode:03o}): chmod 600 {0}", path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line that is no key. It is not shown: it may be one.
    #[error("line {line} of the key file {} is not a key: expected {LINE_START} and 32 bytes in base64", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// No key in it.
    #[error("the key file {} holds no key: make one with netosync keys init", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Configured and not there.
    #[error("secrets.key_file names {}, which does not exist: make it with netosync keys init", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The database holds sealed credentials, and the file with their key is gone.
    #[error("the database holds credentials sealed with master key {}, and {} does not exist: put the key file back, or name it in secrets.key_file", key_ids.join(", "), path.display())]
    Lost {
        /// Where the file was looked for.
        path: PathBuf,
        /// The keys that are missing.
        key_ids: Vec<String>,
    },
    /// PostgreSQL, or SQLite in memory, and no key given.
    #[error(
        "there is no master key: name a key file in secrets.key_file (netosync keys init makes one), or give it with systemd's LoadCredential={CREDENTIAL}"
    )]
    Nowhere,
    /// The new file cannot be written.
    #[error("the key file {} cannot be created: {source}", path.display())]
    NotCreated {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another one cannot be put in its place.
    #[error("the key file {0} cannot be replaced and is as it was: {source}; run this as a user who may write to its folder", path.display())]
    NotReplaced {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is a copy that systemd made for this process.
    #[error("{} is the copy of the key file that systemd made for the service and cannot be changed: name the file itself, which LoadCredential= or SetCredential= names, with --key-file PATH", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
    },
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `secrets.key_file`.
    pub key_file: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`, set by systemd.
    pub credentials_directory: Option<PathBuf>,
    /// The file of an SQLite database.
    pub database_file: Option<PathBuf>,
}

impl Places {
    /// The places for this configuration and this process.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            key_file: config.secrets.key_file.clone(),
            credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            database_file: config.database.file(),
        }
    }

    /// The usual place with SQLite; the only one where a key is made by itself.
    #[must_use]
    pub fn beside_database(&self) -> Option<PathBuf> {
        let mut name = self.database_file.as_ref()?.as_os_str().to_owned();
        name.push(".key");
        Some(PathBuf::from(name))
    }
}

/// The keys, and where they came from.
#[derive(Debug)]
pub struct Found {
    /// Seals and opens with them.
    pub crypter: Crypter,
    /// The file.
    pub path: PathBuf,
    /// Whether it is a copy in systemd's folder, which systemd guards and nobody changes.
    pub copy: bool,
    /// Whether the file was made just now: say so, because it has to be kept as safe as the database.
    pub created: bool,
}

/// Finds the keys and makes none; `None` when there is no file in any place.
pub fn find_existing(places: &Places) -> Result<Option<Found>, KeyError> {
    let systemd = places.credentials_directory.as_deref();
    if let Some(path) = &places.key_file {
        return match open(path)? {
            Some(file) => found(file, path, systemd).map(Some),
            None => Err(KeyError::Missing { path: path.clone() }),
        };
    }
    if let Some(path) = systemd.map(|directory| directory.join(CREDENTIAL))
        && let Some(file) = open(&path)?
    {
        return found(file, &path, systemd).map(Some);
    }
    match places.beside_database() {
        Some(path) => open(&path)?.map(|file| found(file, &path, None)).transpose(),
        None => Ok(None),
    }
}

/// Finds the keys. `in_use` are the distinct `credentials.key_id` of the database, empty when nothing is sealed yet:
/// only then may a key be made.
pub fn find(places: &Places, in_use: &[String]) -> Result<Found, KeyError> {
    if let Some(found) = find_existing(places)? {
        return Ok(found);
    }
    let path = places.beside_database().ok_or(KeyError::Nowhere)?;
    if !in_use.is_empty() {
        return Err(KeyError::Lost { path, key_ids: in_use.to_vec() });
    }
    let created = create(&path, &[MasterKey::generate()])?;
    // Another process may have been quicker; then its key is the one.
    let file =
        open(&path)?.ok_or_else(|| KeyError::NotCreated { path: path.clone(), source: ErrorKind::NotFound.into() })?;
    Ok(Found { created, ..found(file, &path, None)? })
}

/// Writes `keys` to a new private file, whole or not at all. `false` when there is a file already, which is left alone.
pub fn create(path: &Path, keys: &[MasterKey]) -> Result<bool, KeyError> {
    let failed = |source| KeyError::NotCreated { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = folder.join(format!(".netosync-key-{:016x}.tmp", rand::random::<u64>()));
    let written = write_private(&draft, &render(keys)).and_then(|()| match std::fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    });
    // The draft may not have come about at all.
    let _ = std::fs::remove_file(&draft);
    let created = written.map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(created)
}

/// The text of a key file. The first key seals.
#[must_use]
pub fn render(keys: &[MasterKey]) -> Zeroizing<String> {
    // Room for all of it: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(keys.len() * (LINE_START.len() + 45)));
    for key in keys {
        text.push_str(LINE_START);
        STANDARD.encode_string(key.bytes(), &mut text);
        text.push('\n');
    }
    text
}

pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn open(path: &Path) -> Result<Option<File>, KeyError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyError::Unreadable { path: path.to_owned(), source }),
    }
}

fn found(file: File, path: &Path, systemd: Option<&Path>) -> Result<Found, KeyError> {
    // systemd guards its folder itself and may show its files as readable to a group.
    let copy = systemd.is_some_and(|folder| path.starts_with(folder));
    let text = read(file, path, copy)?;
    Ok(Found { crypter: parse(&text, path)?, path: path.to_owned(), copy, created: false })
}

/// Reads a key file again that was [`find`]ed before.
pub(super) fn read_again(path: &Path, copy: bool) -> Result<Crypter, KeyError> {
    parse(&text_of(path, copy)?, path)
}

/// The text of a key file that was [`find`]ed before.
pub(super) fn text_of(path: &Path, copy: bool) -> Result<Zeroizing<String>, KeyError> {
    let file = File::open(path).map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })?;
    read(file, path, copy)
}

fn read(file: File, path: &Path, guarded: bool) -> Result<Zeroizing<String>, KeyError> {
    let unreadable = |source| KeyError::Unreadable { path: path.to_owned(), source };
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && !guarded {
        return Err(KeyError::NotPrivate { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(0)));
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Crypter, KeyError> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(key) = key_of(line) {
            keys.push(key.map_err(|()| KeyError::Malformed { path: path.to_owned(), line: index + 1 })?);
        }
    }
    if keys.is_empty() {
        return Err(KeyError::Empty { path: path.to_owned() });
    }
    let first = keys.remove(0);
    Ok(Crypter::new(first, keys))
}

/// The key of a line of a key file; `None` when the line means nothing.
pub(super) fn key_of(line: &str) -> Option<Result<MasterKey, ()>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    Some(line.strip_prefix(LINE_START).and_then(|text| key(text.trim())).ok_or(()))
}

fn key(text: &str) -> Option<MasterKey> {
    // A little more room than 32 bytes: the decoder wants space for the padding.
    let mut bytes = Zeroizing::new([0; 36]);
    let length = STANDARD.decode_slice(text, bytes.as_mut_slice()).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(bytes.get(..length).filter(|bytes| bytes.len() == 32)?);
    Some(MasterKey::from_bytes(key))
}

#[cfg(test)]
#[path = "master_key_tests.rs"]
mod tests;
