//! `netosync why`: every reason has its sentence, and the last line is the command that helps.

use assert_cmd::cargo::cargo_bin;

use crate::support::{Desk, KEY};

/// A daemon that is alive, whatever the time.
const DAEMON: &str = "INSERT INTO instances (name, host, pid, version, started_at, seen_at, slots, running) VALUES
    ('here:7:aa', 'here', 7, '0.1.0', '2026-01-01T00:00:00.000+00:00', '2999-01-01T00:00:00.000+00:00', 4, 1);";

/// A desk with the store `main`, a daemon, and what `sql` makes of them.
fn desk(sql: &str) -> Desk {
    let desk = Desk::new();
    desk.run_with(&["store", "add", "main", "--url", "https://www.shop.example", "--key-file", "-"], KEY).exits(0);
    desk.sql(&format!("{DAEMON} {sql}"));
    desk
}

/// A run that ended at the beginning of 2026. `rest` sets verdict, error class and error.
fn ended(state: &str, rest: &str) -> String {
    run(state, &format!("started_at = created_at, finished_at = created_at, {rest}"))
}

/// Run 1.
fn run(state: &str, rest: &str) -> String {
    format!(
        "INSERT INTO runs (store_id, kind, trigger, state, scheduled_at, created_at) SELECT id, 'full', 'manual',
         '{state}', '2026-01-01T00:00:00.000+00:00', '2026-01-01T00:00:00.000+00:00' FROM stores;
         UPDATE runs SET {rest};"
    )
}

/// Asserts what `why` says after `sql`, and that its last line is `fix`: a command that exists, if it is one of ours.
#[track_caller]
fn explains(sql: &str, says: &[&str], fix: &str) {
    let desk = desk(sql);
    let why = desk.run(&["why", "main"]).exits(0).says(says);
    assert_eq!(why.out.lines().last(), Some(format!("do: {fix}").as_str()), "{why:#?}");
    let json = desk.json(&["why", "main", "--json"]);
    assert_eq!(json["fix"].as_str(), Some(fix).filter(|fix| !fix.starts_with("nothing")), "{json:#}");
    if fix.starts_with("netosync ") {
        let program = cargo_bin!("netosync").parent().expect("a folder").to_owned();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("PATH=\"$0:$PATH\" {fix} --help")]).arg(program);
        assert!(shell.output().expect("every system has sh").status.success(), "{fix}");
    }
}

const SYNC: &str = "nothing; netosync sync main would sync it now";
const PASSES: &str = "nothing; it passes by itself";

#[test]
fn a_store_that_needs_nothing_says_when_it_is_synced_next() {
    let at = "full at `0 3 * * 0` (UTC)";
    explains("", &["main is never synced", &format!("{at}, due now"), "there was none yet", "1 alive, 1 of 4"], SYNC);
    let now = "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')";
    let just_now = ended("succeeded", &format!("verdict = 'complete', started_at = {now}"));
    explains(&just_now, &["main is ok", &format!("{at}, next 2"), "run 1 was complete"], SYNC);
    let zone = "UPDATE stores SET timezone = 'Australia/Brisbane';";
    explains(&format!("{just_now} {zone}"), &["(Australia/Brisbane), next 2", " AEST = "], SYNC);
    explains(
        &run("running", "lease_owner = 'here:7:aa', lease_expires_at = '2999-01-01T00:00:00.000+00:00'"),
        &["main is running", "run 1 (full) is being worked on by here:7:aa (lease until 2999-01-01 00:00:00Z)"],
        SYNC,
    );
}

#[test]
fn nobody_works_or_nothing_tells_them_to() {
    let start = "systemctl start netosync";
    explains("DELETE FROM instances;", &["! no `netosync run` is alive on this database, so nothing is synced"], start);
    let dead = "UPDATE instances SET seen_at = '2026-01-01T00:00:00.000+00:00';";
    explains(dead, &["! no `netosync run` is alive on this database (the last was seen "], start);
    let off = "UPDATE stores SET schedule_full = '';";
    let set = "netosync store set main --schedule-full";
    explains(off, &["! full never by itself: there is no schedule for it"], &format!("{set} '0 3 * * 0'"));
    let bad = "UPDATE stores SET schedule_full = 'every day';";
    explains(bad, &["! full never by itself: `every day` cannot be used: "], &format!("{set} default"));
}

#[test]
fn what_was_decided_about_the_store_or_its_key_comes_first() {
    let paused = "UPDATE stores SET paused_at = '2026-01-01T00:00:00.000+00:00', paused_reason = 'moving';";
    let says = ["main is paused", "! paused since 2026-01-01 00:00:00Z, until resumed: moving"];
    explains(paused, &says, "netosync store resume main");
    let until = "UPDATE stores SET paused_until = '2999-01-01T00:00:00.000+00:00';";
    explains(&format!("{paused} {until}"), &["until 2999-01-01 00:00:00Z: moving"], "netosync store resume main");
    explains("DELETE FROM credentials;", &["main is no key", "! the store has no key"], "netosync store rekey main");
    let refused = "last_error = 'invalid key', last_status = 401, state_since = '2026-01-01T00:00:00.000+00:00',
         next_check_at = '2999-01-01T00:00:00.000+00:00'";
    explains(
        &format!("UPDATE credentials SET state = 'revoked', {refused};"),
        &[
            "! revoked since 2026-01-01 00:00:00Z (fingerprint ",
            "HTTP 401): invalid key; it is tested again by itself at 2999",
        ],
        "netosync store rekey main",
    );
    explains(
        &format!("UPDATE credentials SET state = 'suspect', {refused};"),
        &["! suspect since 2026-01-01 00:00:00Z", "invalid key; it is tested again by itself at 2999-01-01"],
        "netosync store check main",
    );
}

#[test]
fn a_store_connected_by_consent_needs_the_merchant_or_an_approval() {
    let consent = "UPDATE stores SET remote_id = 'N1', domain = 'www.shop.example';
         UPDATE credentials SET scheme = 'oauth', client_id = 'app', state = 'revoked', last_error = 'invalid_grant';";
    let connect = "netosync oauth connect main";
    explains(consent, &["main is revoked", "invalid_grant"], connect);
    let moved = "UPDATE stores SET pending_url = 'https://new.example/', paused_at = '2026-01-01T00:00:00.000+00:00';";
    explains(moved, &["main is paused"], "netosync store set main --url https://new.example/");
    let status = desk(consent).json(&["status", "main", "--json"]);
    let why_not = status[0]["why_not"][0].as_str().expect("it is revoked");
    assert!(why_not.ends_with("the merchant must reconnect, `netosync why main` says where"), "{why_not}");
    let gone = "UPDATE stores SET paused_at = '2026-01-01T00:00:00.000+00:00', paused_reason = 'disconnected';
         DELETE FROM credentials;";
    explains(&format!("{consent} {gone}"), &["main is paused", "the store has no key"], connect);
}

#[test]
fn a_run_that_waits_says_for_what() {
    let later = "scheduled_at = '2999-01-01T00:00:00.000+00:00'";
    let silent = "UPDATE stores SET silent_until = '2999-01-01T00:00:00.000+00:00';";
    explains(silent, &["calls a minute, and none until 2999-01-01 00:00:00Z: the store answered HTTP 429"], PASSES);
    let limited = run("queued", &format!("{later}, error_class = 'rate_limited', error = 'HTTP 429'"));
    explains(
        &format!("{limited} {silent}"),
        &["! run 1 (full) keeps silence until 2999-01-01 00:00:00Z, as the store asked: HTTP 429", "! at most"],
        PASSES,
    );
    explains(
        &run("queued", &format!("{later}, error_class = 'unauthorized', error = 'refused'")),
        &["! run 1 (full) asks again with the key at 2999-01-01 00:00:00Z: refused"],
        PASSES,
    );
    explains(
        &run("queued", &format!("{later}, error_class = 'transient', error = 'no connection', attempt = 2")),
        &["! run 1 (full) rests until 2999-01-01 00:00:00Z after an error (transient): no connection", "attempt 2"],
        "netosync runs retry 1",
    );
    explains(&run("queued", "attempt = 0"), &["! run 1 (full) waits for a free slot since "], "netosync sync main");
    let lease = "lease_owner = 'here:7:aa', lease_expires_at";
    explains(
        &run("running", &format!("{lease} = '2026-01-01T00:00:15.000+00:00'")),
        &["! run 1 (full) has lost here:7:aa, whose lease ran out at 2026-01-01 00:00:15Z"],
        "netosync sync main",
    );
    let cancelled = format!("{lease} = '2999-01-01T00:00:00.000+00:00', cancel_requested_at = created_at");
    explains(&run("running", &cancelled), &["! run 1 (full) is cancelled; its worker has not confirmed"], PASSES);
}

#[test]
fn a_run_that_ended_badly_says_what_helps_against_its_error() {
    for (class, fix) in [
        ("transient", "netosync store check main"),
        ("rate_limited", "netosync store check main"),
        ("data", "netosync quarantine list main"),
        ("config", "netosync check"),
        ("rejected", "netosync runs show 1"),
        ("internal", "netosync runs show 1"),
        // The key was given after the run.
        ("unauthorized", "netosync sync main"),
    ] {
        let failed = ended("failed", &format!("error_class = '{class}', error = 'it broke'"));
        explains(&failed, &["main is failing", "! run 1 failed ", &format!("({class}): it broke")], fix);
    }
    let flagged_by_nobody = "UPDATE credentials SET state_since = '2020-01-01T00:00:00.000+00:00';";
    let refused = ended("failed", "error_class = 'unauthorized', error = 'refused'");
    explains(&format!("{refused} {flagged_by_nobody}"), &["! run 1 failed "], "netosync store check main");
    let cancelled = ended("cancelled", "error = 'cancelled by the operator'");
    explains(&cancelled, &["! run 1 was cancelled ", "cancelled by the operator"], "netosync sync main");
    let partial = ended("succeeded", "verdict = 'partial', error = 'a short page'");
    explains(&partial, &["! run 1 was partial ", "a short page"], "netosync runs show 1");
}

#[test]
fn an_outage_of_the_vendor_is_nobodys_to_mend_and_outweighs_a_failed_run() {
    let incident = |kind: &str, store: &str| {
        format!(
            "INSERT INTO incidents (kind, store_id, connector, opened_at, last_seen_at, sentence, notice_at)
             SELECT '{kind}', {store}, 'neto', '2026-01-01T00:00:00.000+00:00', '2026-01-01T00:00:00.000+00:00',
             'many stores fail together', '2026-01-01T00:00:00.000+00:00' FROM stores;"
        )
    };
    let failed = ended("failed", "error_class = 'transient', error = 'it broke'");
    let outage = incident("vendor_outage", "NULL");
    explains(&format!("{failed} {outage}"), &["! since 2026-01-01 00:00:00Z: many stores fail together"], PASSES);
    let failing = incident("store_failing", "id");
    let open = ["open since 2026-01-01 00:00:00Z: many stores fail together"];
    explains(&format!("{failed} {failing}"), &open, "netosync store check main");
}

#[test]
fn scripts_get_every_reason_and_the_one_that_has_to_go_first() {
    let desk = desk(
        "UPDATE stores SET paused_at = '2026-01-01T00:00:00.000+00:00'; DELETE FROM instances;
         UPDATE credentials SET state = 'revoked';",
    );
    let why = desk.json(&["why", "main", "--json"]);
    assert_eq!((&why["store"], &why["state"], &why["next_run_at"]), (&"main".into(), &"paused".into(), &().into()));
    let reasons = why["reasons"].as_array().expect("an array");
    let wrong: Vec<_> =
        reasons.iter().filter(|reason| reason["holds_up"] == true).map(|reason| &reason["about"]).collect();
    assert_eq!(wrong, ["daemon", "pause", "key"]);
    assert_eq!(why["fix"], "netosync store resume main");
    let due = self::desk("").json(&["why", "main", "--json"]);
    assert!(due["next_run_at"].is_string() && due["next_run_kind"] == "full" && due["fix"].is_null(), "{due:#}");
    desk.run(&["why", "other"]).exits(1).complains(&["no store named other", "store list"]);
    desk.run(&["why"]).exits(2);
}
