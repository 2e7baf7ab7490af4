//! Which connectors are described: the built-in ones, and those of the folder `connectors.dir`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Description, MAX_FILE_BYTES, Mistake};

/// The folder that is looked into when none is configured.
pub const DEFAULT_DIR: &str = "/etc/netosync/connectors";

const BUILT_IN: [(&str, &str); 3] = [
    ("net-api", include_str!("../../../connectors/net-api.toml")),
    ("neos", include_str!("../../../connectors/neos.toml")),
    ("netexplorer", include_str!("../../../connectors/netexplorer.toml")),
];

/// The described connectors by name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
    trouble: Option<String>,
}

/// One connector of the registry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it came from.
    pub origin: Origin,
    /// Whether a file of the folder stands in for the built-in one of this name.
    pub replaces_built_in: bool,
    /// What it describes, or why it cannot be used.
    pub description: Result<Description, Wrong>,
}

/// Where a description came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why a file is no connector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It cannot be read.
    #[error("{} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It has mistakes.
    #[error("{}:{}{}", .path.display(), .mistakes.first().map(ToString::to_string).unwrap_or_default(), more(.mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the lines.
        mistakes: Vec<Mistake>,
    },
}

fn more(mistakes: &[Mistake]) -> String {
    match mistakes.len() {
        0 | 1 => String::new(),
        all => format!(" (and {} more; see `netosync connector check`)", all - 1),
    }
}

/// A connector that is asked for and cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConnector {
    /// Nobody described it.
    #[error("there is no connector {name}; there are {known}{}", .trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
        /// Why there may be fewer than there should be.
        trouble: Option<String>,
    },
    /// Its file is wrong.
    #[error("the connector {name} cannot be used: {wrong}")]
    Wrong {
        /// Its name.
        name: String,
        /// What is wrong.
        wrong: Wrong,
    },
}

impl Registry {
    /// The built-in connectors and those of `dir`; without one, of [`DEFAULT_DIR`] where that exists. A file that is wrong
    /// disables the connector of its name and nothing else.
    #[must_use]
    pub fn load(dir: Option<&Path>) -> Self {
        let mut registry = Self::built_in();
        let dir = dir.or_else(|| Some(Path::new(DEFAULT_DIR)).filter(|dir| dir.is_dir()));
        if let Some(dir) = dir {
            registry.add_folder(dir);
        }
        registry
    }

    /// The connectors that come with the program.
    #[must_use]
    pub fn built_in() -> Self {
        let read = |(name, text): (&str, &str)| {
            let wrong = |mistakes| Wrong::Mistakes { path: PathBuf::from(format!("{name}.toml")), mistakes };
            let description = Description::parse(text.as_bytes(), name).map_err(wrong);
            (name.to_owned(), Entry { origin: Origin::BuiltIn, replaces_built_in: false, description })
        };
        Self { entries: BUILT_IN.into_iter().map(read).collect(), trouble: None }
    }

    fn add_folder(&mut self, dir: &Path) {
        let files = match std::fs::read_dir(dir) {
            Ok(files) => files,
            Err(error) => {
                self.trouble = Some(format!("the folder {} cannot be read: {error}", dir.display()));
                return;
            }
        };
        let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        for path in paths {
            let name = stem(&path);
            // A pipe would be waited for.
            let readable = if path.is_file() { read_file(&path) } else { Err(not_a_file(&path)) };
            let entry = Entry {
                replaces_built_in: BUILT_IN.iter().any(|(built_in, _)| *built_in == name),
                description: readable,
                origin: Origin::File(path),
            };
            self.entries.insert(name, entry);
        }
    }

    /// The description of this name.
    ///
    /// # Errors
    /// [`NoConnector`]: one sentence that names the file and the first mistake, or what connectors there are.
    pub fn get(&self, name: &str) -> Result<&Description, NoConnector> {
        let entry = self.entry(name)?;
        entry.description.as_ref().map_err(|wrong| NoConnector::Wrong { name: name.to_owned(), wrong: wrong.clone() })
    }

    fn entry(&self, name: &str) -> Result<&Entry, NoConnector> {
        let names =
            || ["neto"].into_iter().chain(self.entries.keys().map(String::as_str)).collect::<Vec<_>>().join(", ");
        self.entries.get(name).ok_or_else(|| NoConnector::Unknown {
            name: name.to_owned(),
            known: names(),
            trouble: self.trouble.clone(),
        })
    }

    /// The text of the file of this name, wrong or not.
    ///
    /// # Errors
    /// [`NoConnector`], when there is none or it cannot be read.
    pub fn source(&self, name: &str) -> Result<String, NoConnector> {
        let path = match &self.entry(name)?.origin {
            Origin::BuiltIn => {
                let text = BUILT_IN.iter().find(|(built_in, _)| *built_in == name).map(|(_, text)| *text);
                return Ok(text.unwrap_or_default().to_owned());
            }
            Origin::File(path) => path,
        };
        let content = content(path).map_err(|error| NoConnector::Wrong {
            name: name.to_owned(),
            wrong: Wrong::Unreadable { path: path.clone(), reason: error.to_string() },
        })?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    /// Everything there is, wrong files included, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Why the folder could not be read, if it could not.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// Reads one file.
///
/// # Errors
/// What is wrong with it.
pub fn read_file(path: &Path) -> Result<Description, Wrong> {
    let content =
        content(path).map_err(|error| Wrong::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    Description::parse(&content, &stem(path)).map_err(|mistakes| Wrong::Mistakes { path: path.to_owned(), mistakes })
}

fn not_a_file(path: &Path) -> Wrong {
    Wrong::Unreadable { path: path.to_owned(), reason: "it is not a file".to_owned() }
}

/// At most one byte more than is allowed, so that a giant file is refused without being read.
fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_connectors_are_without_mistakes() {
        let registry = Registry::built_in();
        for (name, entry) in registry.entries() {
            assert!(entry.description.is_ok(), "{name}: {:?}", entry.description);
        }
        assert_eq!(registry.entries().count(), 3);
    }

    #[test]
    fn a_wrong_file_disables_only_itself_and_a_users_file_replaces_a_built_in_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let own =
            "name = \"neos\"\ntitle = \"Mine\"\n[auth.bearer]\n[[stream]]\nname = \"a\"\npath = \"/a\"\nkey = \"id\"\n";
        std::fs::write(dir.path().join("neos.toml"), own).expect("a file");
        std::fs::write(dir.path().join("broken.toml"), "name = \"broken\"\nbase = 5\n").expect("a file");
        std::fs::write(dir.path().join("notes.txt"), "not a connector").expect("a file");
        let registry = Registry::load(Some(dir.path()));
        assert_eq!(registry.get("neos").expect("the user's").title, "Mine");
        assert!(registry.get("netexplorer").is_ok());
        let (_, neos) = registry.entries().find(|(name, _)| *name == "neos").expect("an entry");
        assert!(neos.replaces_built_in && neos.origin == Origin::File(dir.path().join("neos.toml")));
        let wrong = registry.get("broken").expect_err("wrong").to_string();
        assert!(wrong.contains("broken.toml:1:1: ") && wrong.contains("(and 2 more"), "{wrong}");
        let unknown = registry.get("shop").expect_err("unknown").to_string();
        assert_eq!(unknown, "there is no connector shop; there are neto, broken, neos, net-api, netexplorer");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_and_keeps_nothing_from_working() {
        let registry = Registry::load(Some(Path::new("/nowhere/at/all")));
        assert!(registry.get("neos").is_ok());
        assert!(registry.get("shop").expect_err("unknown").to_string().contains("/nowhere/at/all cannot be read"));
    }
}
