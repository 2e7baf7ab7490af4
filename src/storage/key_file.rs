//! Changes a key file: puts a new key before the others, and takes keys out that seal nothing any more.
//!
//! The file is replaced whole or not at all, by a private draft beside it (`.NAME.new`) that is on the disk before it takes the
//! file's name. The folder is locked (`flock`) meanwhile, so that of two who change it at once the second sees what the first did.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::crypter::{Crypter, MasterKey};
use super::master_key::{self, Found, KeyError};

/// A key file that nobody else changes as long as this lives.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    folder: PathBuf,
    text: Zeroizing<String>,
    keys: Crypter,
    _lock: File,
}

impl KeyFile {
    /// Waits for whoever is changing the file, and reads it. Refuses systemd's copy.
    pub fn lock(found: &Found) -> Result<Self, KeyError> {
        if found.copy {
            return Err(KeyError::Copy { path: found.path.clone() });
        }
        // A link stays one: what it points to is replaced.
        let path = found.path.canonicalize().map_err(failed(&found.path))?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let lock = File::open(&folder).and_then(|folder| folder.lock().map(|()| folder)).map_err(failed(&path))?;
        let text = master_key::text_of(&path, false)?;
        let keys = master_key::parse(&text, &path)?;
        Ok(Self { path, folder, text, keys, _lock: lock })
    }

    /// The names of its keys, the sealing one first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.keys.key_ids()
    }

    /// Puts a new key before the others, which only open from now on.
    pub fn put_first(self, key: &MasterKey) -> Result<(), KeyError> {
        let line = master_key::render(std::slice::from_ref(key));
        let mut text = Zeroizing::new(String::with_capacity(line.len() + self.text.len()));
        text.push_str(&line);
        text.push_str(&self.text);
        self.replace(&text)
    }

    /// Takes all keys out but the first. The other lines stay.
    pub fn keep_first(self) -> Result<(), KeyError> {
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + 1));
        let mut first = true;
        for line in self.text.lines() {
            let is_key = master_key::key_of(line).is_some();
            if !is_key || std::mem::take(&mut first) {
                text.push_str(line);
                text.push('\n');
            }
        }
        self.replace(&text)
    }

    fn replace(&self, text: &str) -> Result<(), KeyError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let draft = self.folder.join(format!(".{name}.new"));
        let replaced = remove(&draft).and_then(|()| self.replace_by(&draft, text));
        if replaced.is_err() {
            // The error that counts is the one before; the next one to change the file removes the draft.
            let _ = remove(&draft);
        }
        replaced.map_err(failed(&self.path))
    }

    fn replace_by(&self, draft: &Path, text: &str) -> std::io::Result<()> {
        master_key::write_private(draft, text)?;
        // Whoever could read it, the service's user for one, still can when root has changed it.
        let (old, new) = (self.path.metadata()?, draft.metadata()?);
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            chown(draft, Some(old.uid()), Some(old.gid()))?;
        }
        std::fs::rename(draft, &self.path)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Removes a draft that somebody left who was killed.
fn remove(draft: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    |source| KeyError::NotReplaced { path, source }
}

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
