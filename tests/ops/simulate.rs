//! `netosync simulate`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn a_simulated_store_edits_the_share_it_was_told_at_a_signal() {
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_netosync"))
        .args(["simulate", "--listen", "127.0.0.1:0", "--products", "200", "--edit-share", "0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(simulate.stdout.take().expect("it was piped")).lines();
    let mut next = |what: &str| lines.find(|line| line.as_ref().expect("UTF-8").contains(what)).is_some();
    let signal = |name: &str| {
        let sent = Command::new("kill")
            .args(["-s", name, &simulate.id().to_string()])
            .status()
            .expect("every system has kill");
        assert!(sent.success());
    };
    assert!(next("netosync sync rehearsal"));
    signal("USR1");
    assert!(next("edited 20 products"));
    signal("TERM");
    assert!(next("stopped after 0 calls"));
    assert!(simulate.wait().expect("it ends").success());
}
