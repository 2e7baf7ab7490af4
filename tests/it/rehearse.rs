//! The commands that need no store: `demo` and `simulate`, run as a newcomer runs them.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

fn netosync(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netosync"));
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

fn demo(folder: &Path, arguments: &[&str]) -> Output {
    let arguments: Vec<_> = ["demo", "--products", "60"].iter().chain(arguments).copied().collect();
    netosync(folder, &arguments).output().expect("the program starts")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect()
}

#[test]
fn the_demo_tells_what_changed_and_leaves_its_database_only() {
    let folder = TempDir::new().expect("a temporary folder");
    for _ in 0..2 {
        let output = demo(folder.path(), &[]);

        let told = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
        for said in [
            "demo: complete · 60 products seen, 60 new, 0 changed, 0 unchanged, 0 in quarantine",
            "demo: complete · 62 products seen, 2 new, 8 changed, 52 unchanged, 0 in quarantine",
            "3 new prices, 2 new names, 2 deliveries, 1 new barcode, 2 new products",
            "→ New season: ",
            "sqlite3 netosync-demo.db \"SELECT sku, name",
        ] {
            assert!(told.contains(said), "{said} is not in:\n{told}");
        }
        let changes = told.lines().filter(|line| line.starts_with("  changed  ") || line.starts_with("  added  "));
        assert_eq!(changes.count(), 10, "{told}");
        assert_eq!(told.lines().filter(|line| line.contains("default_price ")).count(), 3, "{told}");
        assert_eq!(names(folder.path()), ["netosync-demo.db"]);
    }
}

#[test]
fn a_reader_that_has_seen_enough_of_the_demo_does_not_end_it_badly() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut process = netosync(folder.path(), &["demo", "--products", "60"]);
    let mut process = Running(process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts"));

    drop(process.0.stdout.take());

    assert_eq!(process.0.wait().expect("it is ours").code(), Some(0));
}

#[test]
fn the_demo_leaves_a_file_alone_that_no_demo_made() {
    let folder = TempDir::new().expect("a temporary folder");
    let mine = folder.path().join("shop.db");
    fs::write(&mine, "my own").expect("writable");

    let output = demo(folder.path(), &["--database", "shop.db"]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("shop.db exists and is not the database of an earlier demo"), "{said}");
    assert_eq!(fs::read_to_string(mine).expect("readable"), "my own");
}

/// Killed when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_simulator_says_how_to_sync_it_and_the_lines_it_prints_work() {
    let folder = TempDir::new().expect("a temporary folder");
    let arguments = ["simulate", "--listen", "127.0.0.1:0", "--products", "25", "--quirks", "--fault", "500@2"];
    let mut simulator = Running(netosync(folder.path(), &arguments).stdout(Stdio::piped()).spawn().expect("it starts"));
    let mut output = BufReader::new(simulator.0.stdout.take().expect("piped"));
    let mut lines = Vec::new();
    // The introduction ends with the line that syncs.
    while !lines.last().is_some_and(|line: &String| line.contains("netosync sync")) {
        let mut line = String::new();
        assert!(output.read_line(&mut line).expect("text") > 0, "it ended after {lines:?}");
        lines.push(line);
    }
    assert!(lines[0].starts_with("A simulated store with 25 products listens on http://127.0.0.1:"), "{lines:?}");

    let script: String = lines.iter().filter(|line| line.starts_with("  ")).map(String::as_str).collect();
    let ours = Path::new(env!("CARGO_BIN_EXE_netosync")).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([ours].into_iter().chain(std::env::split_paths(&path))).expect("a path");
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script]).current_dir(folder.path()).env_clear().stdin(Stdio::null());
    let done = shell.env("PATH", path).output().expect("every system has sh");

    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{script}{told}{}", String::from_utf8_lossy(&done.stderr));
    assert!(told.contains("rehearsal: complete · 25 products seen, 25 new"), "{told}");

    let interrupted = Command::new("kill").args(["-INT", &simulator.0.id().to_string()]).status();
    assert!(interrupted.expect("every system has kill").success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    assert!(rest.starts_with("stopped after ") && rest.ends_with(" calls\n"), "{rest}");
    assert_eq!(simulator.0.wait().expect("it is ours").code(), Some(0));
}

#[test]
fn the_simulators_help_teaches_the_faults() {
    let folder = TempDir::new().expect("a temporary folder");
    let help = netosync(folder.path(), &["simulate", "--help"]).output().expect("it starts");
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(help.contains("a fault is KIND[:option=value][@CALLS]") && help.contains("--fault revoke@10"), "{help}");

    let refused = netosync(folder.path(), &["simulate", "--fault", "4o1@3"]).output().expect("it starts");
    let said = String::from_utf8(refused.stderr).expect("text");
    assert_eq!(refused.status.code(), Some(2));
    assert!(said.contains("there is no fault `4o1`") && said.contains("a fault is KIND"), "{said}");
}
