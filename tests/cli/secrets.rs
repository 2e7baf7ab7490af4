//! No secret leaves the program by another way than the header of a call.

use netosync::simulator::{Fault, SimulatorConfig};

use crate::support::{Desk, Done, KEY};

/// A part of the key long enough to be told.
const TELLING: &str = "canary-key-of-the-tests";

#[test]
fn a_key_is_in_no_output_and_in_no_file() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.run(&["store", "list"]).exits(0);
    let _reader = desk.open(); // so that the write-ahead log is still there in the end
    let mut seen = Vec::new();
    let mut note = |done: Done| seen.push(done);
    note(desk.run_with(&["store", "add", "main", "--url", &shop.url(), "--key-file", "-", "--json"], KEY).exits(0));
    note(desk.run_with(&["store", "add", "short", "--url", &shop.url(), "--key-file", "-"], &KEY[..24]).exits(0));
    note(desk.run(&["store", "check", "main"]).exits(0));
    note(desk.run(&["store", "check", "short"]).exits(5));
    note(desk.run(&["sync", "--all"]).exits(5));
    // A store that sends back what it was sent.
    let echo: Fault = format!("ack-error:message=Invalid API Key {KEY}").parse().expect("a fault");
    shop.set_faults(vec![echo]);
    note(desk.run(&["store", "check", "main"]).exits(5));
    note(desk.run(&["sync", "main", "--json"]).exits(5));
    note(desk.run_with(&["store", "rekey", "main", "--key-file", "-", "--json"], KEY).exits(0));
    for args in [
        &["store", "list", "--json"][..],
        &["store", "show", "main"],
        &["store", "show", "main", "--json"],
        &["status"],
        &["status", "--json"],
        &["runs", "list", "--json"],
        &["runs", "show", "1"],
    ] {
        note(desk.run(args).exits(0));
    }
    for done in &seen {
        assert!(!done.out.contains(TELLING) && !done.err.contains(TELLING), "{done:#?}");
    }

    let mut looked_at = Vec::new();
    let entries = std::fs::read_dir(desk.folder()).expect("the folder").map(|entry| entry.expect("an entry").path());
    // The folder for temporary files has to be empty by now.
    for entry in entries.filter(|entry| std::fs::remove_dir(entry).is_err()) {
        let bytes = std::fs::read(&entry).expect("a file");
        let found = bytes.windows(TELLING.len()).any(|window| window == TELLING.as_bytes());
        let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(!found, "{name}");
        looked_at.push(name);
    }
    looked_at.sort();
    assert_eq!(looked_at, ["copy.db", "copy.db-shm", "copy.db-wal", "copy.db.key"]);
}
