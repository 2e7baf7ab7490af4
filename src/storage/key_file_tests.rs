use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::storage::master_key::Places;

struct Fixture {
    folder: tempfile::TempDir,
    places: Places,
    key: MasterKey,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        let key = MasterKey::generate();
        assert!(master_key::create(&path, std::slice::from_ref(&key)).expect("writable"));
        Self { folder, places: Places { key_file: Some(path), ..Places::default() }, key }
    }

    fn path(&self) -> &Path {
        self.places.key_file.as_deref().expect("given")
    }

    fn found(&self) -> Found {
        master_key::find(&self.places, &[]).expect("found")
    }

    fn lock(&self) -> KeyFile {
        KeyFile::lock(&self.found()).expect("locked")
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("our folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn a_new_key_goes_before_the_old_and_the_old_goes_when_only_the_first_is_kept() {
    let fixture = Fixture::new();
    let old = std::fs::read_to_string(fixture.path()).expect("readable");
    std::fs::write(fixture.path(), format!("# of 2026\n{old}")).expect("writable");
    let new = MasterKey::generate();
    fixture.lock().put_first(&new).expect("replaced");
    assert_eq!(fixture.found().crypter.key_ids(), [new.id(), fixture.key.id()]);
    fixture.lock().keep_first().expect("replaced");
    assert_eq!(fixture.found().crypter.key_ids(), [new.id()]);
    let text = std::fs::read_to_string(fixture.path()).expect("readable");
    assert!(text.ends_with("# of 2026\n") && !text.contains(old.trim()), "comments stay");
    assert_eq!(fixture.path().metadata().expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fixture.files(), ["master.key"], "no draft is left behind");
}

#[test]
fn the_draft_of_somebody_who_was_killed_is_in_nobodys_way() {
    let fixture = Fixture::new();
    std::fs::write(fixture.folder.path().join(".master.key.new"), "half a k").expect("writable");
    fixture.lock().put_first(&MasterKey::generate()).expect("replaced");
    assert_eq!(fixture.found().crypter.key_ids().len(), 2);
    assert_eq!(fixture.files(), ["master.key"]);
}

#[test]
fn a_file_that_cannot_be_replaced_stays_as_it_was() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.folder.path().join(".master.key.new")).expect("in the way, also for root");
    let error = fixture.lock().put_first(&MasterKey::generate()).expect_err("in the way").to_string();
    assert!(error.contains("master.key cannot be replaced and is as it was"), "{error}");
    assert_eq!(fixture.found().crypter.key_ids(), [fixture.key.id()]);
}

#[test]
fn a_link_stays_one_and_its_file_is_replaced() {
    let mut fixture = Fixture::new();
    let link = fixture.folder.path().join("link.key");
    std::os::unix::fs::symlink("master.key", &link).expect("a link");
    fixture.places.key_file = Some(link.clone());
    fixture.lock().put_first(&MasterKey::generate()).expect("replaced");
    assert!(link.is_symlink());
    assert_eq!(fixture.found().crypter.key_ids().len(), 2);
}

#[test]
fn the_copy_of_systemd_is_not_touched() {
    let mut fixture = Fixture::new();
    fixture.places.credentials_directory = Some(fixture.folder.path().to_owned());
    let error = KeyFile::lock(&fixture.found()).expect_err("a copy").to_string();
    assert!(error.contains("LoadCredential=") && error.contains("--key-file"), "{error}");
}

#[test]
fn those_who_change_it_at_once_take_turns_and_lose_no_key() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| fixture.lock().put_first(&MasterKey::generate()).expect("replaced"));
        }
    });
    assert_eq!(fixture.found().crypter.key_ids().len(), 9);
}
