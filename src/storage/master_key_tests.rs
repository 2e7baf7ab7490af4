use std::sync::Barrier;

use super::*;

struct Fixture {
    folder: tempfile::TempDir,
    places: Places,
}

fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places { database_file: Some(folder.path().join("netosync.db")), ..Places::default() };
    Fixture { folder, places }
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).expect("writes");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets the mode");
}

#[test]
fn sqlite_gets_a_private_key_on_first_use_and_keeps_it() {
    let fixture = sqlite();
    let first = find(&fixture.places, &[]).expect("made");
    assert!(first.created && first.path.ends_with("netosync.db.key"));
    assert_eq!(std::fs::metadata(&first.path).expect("there").permissions().mode() & 0o777, 0o600);
    let second = find(&fixture.places, &first.crypter.key_ids()).expect("found");
    assert!(!second.created);
    assert_eq!(second.crypter.key_ids(), first.crypter.key_ids());
    assert_eq!(std::fs::read_dir(fixture.folder.path()).expect("folder").count(), 1, "no draft is left behind");
}

#[test]
fn processes_that_start_together_end_with_the_same_key() {
    let fixture = sqlite();
    let start = Barrier::new(8);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let one = || {
            start.wait();
            let found = find(&fixture.places, &[]).expect("found or made");
            (found.created, found.crypter.key_ids())
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(ids.iter().filter(|(created, _)| *created).count(), 1);
    assert!(ids.iter().all(|(_, id)| *id == ids[0].1));
}

#[test]
fn no_key_is_made_when_credentials_are_sealed_already() {
    let fixture = sqlite();
    let error = find(&fixture.places, &["0a1b2c3d".to_owned()]).expect_err("lost").to_string();
    assert!(error.contains("master key 0a1b2c3d") && error.contains("netosync.db.key does not exist"), "{error}");
    assert_eq!(std::fs::read_dir(fixture.folder.path()).expect("folder").count(), 0);
}

#[test]
fn postgres_without_a_key_is_told_where_to_put_one() {
    let error = find(&Places::default(), &[]).expect_err("nowhere").to_string();
    assert!(error.contains("secrets.key_file") && error.contains("LoadCredential=netosync.key"), "{error}");
}

#[test]
fn a_configured_file_must_exist_and_comes_first() {
    let mut fixture = sqlite();
    let made = find(&fixture.places, &[]).expect("made");
    let path = fixture.folder.path().join("own.key");
    fixture.places.key_file = Some(path.clone());
    assert!(matches!(find(&fixture.places, &[]), Err(KeyError::Missing { .. })));
    assert!(create(&path, &[MasterKey::generate()]).expect("creates"));
    assert!(!create(&path, &[MasterKey::generate()]).expect("leaves it alone"));
    assert_ne!(find(&fixture.places, &[]).expect("found").crypter.key_ids(), made.crypter.key_ids());
}

#[test]
fn a_file_others_can_read_is_refused_except_from_systemd() {
    let mut fixture = sqlite();
    let text = render(&[MasterKey::generate()]);
    let path = fixture.folder.path().join("netosync.key");
    for mode in [0o640, 0o604, 0o660] {
        write(&path, &text, mode);
        fixture.places.key_file = Some(path.clone());
        let error = find(&fixture.places, &[]).expect_err("not private").to_string();
        assert!(error.contains(&format!("mode {mode:03o}")) && error.contains("chmod 600"), "{error}");
    }
    write(&path, &text, 0o440);
    fixture.places.key_file = None;
    fixture.places.credentials_directory = Some(fixture.folder.path().to_owned());
    assert_eq!(find(&fixture.places, &[]).expect("found").path, path);
    fixture.places.key_file = Some(path);
    assert!(find(&fixture.places, &[]).is_ok(), "named explicitly, but in systemd's folder");
}

#[test]
fn a_systemd_folder_without_our_file_is_passed_over() {
    let mut fixture = sqlite();
    let empty = tempfile::tempdir().expect("a folder");
    fixture.places.credentials_directory = Some(empty.path().to_owned());
    assert!(find(&fixture.places, &[]).expect("made").created);
}

#[test]
fn the_first_line_seals_and_comments_mean_nothing() {
    let mut fixture = sqlite();
    let keys = [MasterKey::generate(), MasterKey::generate()];
    let path = fixture.folder.path().join("own.key");
    write(&path, &format!("# made for a test\n\n{}", *render(&keys)), 0o600);
    fixture.places.key_file = Some(path);
    let found = find(&fixture.places, &[]).expect("found");
    assert_eq!(found.crypter.key_ids(), [keys[0].id(), keys[1].id()]);
}

#[test]
fn a_line_that_is_no_key_is_named_and_not_shown() {
    let mut fixture = sqlite();
    let path = fixture.folder.path().join("own.key");
    fixture.places.key_file = Some(path.clone());
    let good = render(&[MasterKey::generate()]);
    for wrong in ["canary", "netosync-key-1:canary", "netosync-key-1:Y2FuYXJ5", "netosync-key-2:Y2FuYXJ5"] {
        write(&path, &format!("{}{wrong}\n", *good), 0o600);
        let error = find(&fixture.places, &[]).expect_err("malformed");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("line 2") && !shown.contains("canary") && !shown.contains("Y2Fu"), "{shown}");
    }
    write(&path, "# nothing\n", 0o600);
    assert!(matches!(find(&fixture.places, &[]), Err(KeyError::Empty { .. })));
}
