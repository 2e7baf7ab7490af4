//! Folders in folders, with files: made from a seed, the same for the same seed, and changed as people change them.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// One folder holds so many files, about.
const FILES_PER_FOLDER: usize = 7;

struct Folder {
    name: String,
    parent: i64,
    modified: u32,
}

struct File {
    /// Of the version: another with every change.
    id: i64,
    name: String,
    folder: i64,
    versions: u32,
    modified: u32,
}

/// See the module. Folders by number, files by `guid`.
pub struct Tree {
    folders: BTreeMap<i64, Folder>,
    files: BTreeMap<String, File>,
    last_id: i64,
    /// Every change is a minute after the one before.
    minutes: u32,
}

impl Tree {
    /// A tree of so many files, in folders nested as the seed wills.
    pub fn generate(seed: u64, files: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut tree = Self { folders: BTreeMap::new(), files: BTreeMap::new(), last_id: 0, minutes: 0 };
        for _ in 0..=files / FILES_PER_FOLDER {
            let ids: Vec<_> = tree.folders.keys().copied().collect();
            // A root, or below any that is there.
            let parent = if ids.is_empty() {
                0
            } else {
                *[0].iter().chain(&ids).nth(random.random_range(0..=ids.len())).expect("one")
            };
            tree.add_folder(parent);
        }
        let ids: Vec<_> = tree.folders.keys().copied().collect();
        for _ in 0..files {
            tree.add_file(ids[random.random_range(0..ids.len())]);
        }
        tree
    }

    /// Adds a folder below another, 0 for a root, and gives its number.
    pub fn add_folder(&mut self, parent: i64) -> i64 {
        let id = self.next_id();
        let modified = self.touch();
        self.folders.insert(id, Folder { name: format!("Folder {id}"), parent, modified });
        id
    }

    /// Adds a file and gives its `guid`.
    pub fn add_file(&mut self, folder: i64) -> String {
        assert!(self.folders.contains_key(&folder), "no folder {folder}");
        let (id, modified) = (self.next_id(), self.touch());
        let guid = format!("guid-{id:04x}");
        let file = File { id, name: format!("file {id}.xlsx"), folder, versions: 1, modified };
        self.files.insert(guid.clone(), file);
        guid
    }

    /// A new version of a file: another number, the same `guid`.
    pub fn change_file(&mut self, guid: &str) {
        let (id, modified) = (self.next_id(), self.touch());
        let file = self.files.get_mut(guid).expect("the file is there");
        (file.id, file.modified, file.versions) = (id, modified, file.versions + 1);
    }

    /// Takes a file away.
    pub fn remove_file(&mut self, guid: &str) {
        self.files.remove(guid).expect("the file is there");
        self.touch();
    }

    /// The `guid` of every file.
    pub fn files(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    /// The numbers of all folders.
    pub fn folders(&self) -> Vec<i64> {
        self.folders.keys().copied().collect()
    }

    /// The roots as the system answers them: with what is in them down to `depth`, all of it where that is below 0.
    pub fn render(&self, depth: Option<i64>) -> Value {
        self.below(0, depth.unwrap_or(0))
    }

    fn below(&self, parent: i64, depth: i64) -> Value {
        let folders = self.folders.iter().filter(|(_, folder)| folder.parent == parent);
        folders.map(|(id, folder)| self.folder(*id, folder, depth)).collect()
    }

    fn folder(&self, id: i64, folder: &Folder, depth: i64) -> Value {
        let (path, names) = self.path(id);
        let files = self.files.values().filter(|file| file.folder == id).count();
        let mut object = json!({
            "id": id, "name": folder.name, "parentId": folder.parent, "path": path, "pathName": names,
            "creation": time(0), "modification": time(folder.modified), "owner": "Admin", "ownerId": "adm",
            "size": 1024 * files, "quota": 0, "nbDFiles": files,
        });
        if depth != 0 {
            let files =
                self.files.iter().filter(|(_, file)| file.folder == id).map(|(guid, file)| file_json(guid, file));
            object["content"] = json!({ "files": files.collect::<Value>(), "folders": self.below(id, depth - 1) });
        }
        object
    }

    fn path(&self, id: i64) -> (String, String) {
        let Some(folder) = self.folders.get(&id) else { return (String::new(), String::new()) };
        let (path, names) = self.path(folder.parent);
        (format!("{path}/{id}"), format!("{names}/{}", folder.name))
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn touch(&mut self) -> u32 {
        self.minutes += 1;
        self.minutes
    }
}

fn file_json(guid: &str, file: &File) -> Value {
    let mut object = json!({
        "id": file.id, "guid": guid, "name": file.name, "parentId": file.folder, "hash": format!("{:032x}", file.id),
        "creation": time(0), "modification": time(file.modified), "owner": "Admin", "ownerId": "adm",
        "downloadToken": format!("download-{}", file.id), "thumbToken": format!("thumb-{}", file.id),
    });
    if file.versions > 1 {
        object["nbVersions"] = file.versions.into();
    }
    object
}

/// The time of a change, as the system writes it.
pub fn time(minutes: u32) -> String {
    let zone = FixedOffset::east_opt(2 * 3600).expect("two hours");
    let begin: DateTime<FixedOffset> = DateTime::from_timestamp(1_775_000_000, 0).expect("a time").with_timezone(&zone);
    (begin + TimeDelta::minutes(minutes.into())).to_rfc3339()
}
