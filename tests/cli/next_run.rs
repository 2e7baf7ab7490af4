//! When `netosync status` says that a store is synced next.

use serde_json::Value;

use crate::support::{Desk, KEY};

/// What a person and a script are told after `sql`.
fn next(sql: &str) -> (String, Value) {
    let desk = Desk::new();
    desk.run_with(&["store", "add", "main", "--url", "https://www.shop.example", "--key-file", "-"], KEY).exits(0);
    desk.sql("UPDATE stores SET schedule_incremental = '', schedule_sweep = ''");
    desk.sql(sql);
    let told = desk.run(&["status"]).exits(0);
    let (header, row) = told.out.split_once('\n').expect("a header and a row");
    let column = row[header.find("NEXT").expect("a column")..].split("  ").next().expect("a cell").to_owned();
    let why = desk.json(&["why", "main", "--json"])["next_run_at"].clone();
    let at = desk.json(&["status", "--json"])[0]["next_run_at"].clone();
    assert_eq!(at.is_null(), why.is_null(), "status and why agree");
    (column, at)
}

/// A run that began and ended at `at`.
fn synced(at: &str) -> String {
    format!(
        "INSERT INTO runs (store_id, kind, trigger, state, verdict, scheduled_at, created_at, started_at, finished_at)
         SELECT id, 'full', 'manual', 'succeeded', 'complete', {at}, {at}, {at}, {at} FROM stores;"
    )
}

#[test]
fn a_store_that_was_never_synced_or_missed_its_moment_is_due_now() {
    let (column, at) = next("SELECT 1;");
    assert!(column == "now" && at.is_string(), "{column} {at}");
    assert_eq!(next(&synced("'2026-01-01T00:00:00.000+00:00'")).0, "now");
}

#[test]
fn a_store_that_was_synced_is_due_at_its_next_moment() {
    // Its part of the spread, 15 minutes at the most, moves it within the hour.
    let leap = "UPDATE stores SET schedule_full = '0 3 29 2 *';";
    let (column, at) = next(&format!("{leap} {}", synced("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')")));
    let said = at.as_str().expect("a time");
    assert!(said.contains("-02-29T03:"), "{said}");
    assert_eq!(column.replace(' ', "T").trim_end_matches('Z'), &said[..19]);
}

#[test]
fn a_store_that_waits_is_due_when_that_is_over() {
    let later = "2999-01-01 00:00:00Z";
    let waits =
        "INSERT INTO runs (store_id, kind, trigger, state, scheduled_at, created_at) SELECT id, 'full', 'manual',
         'queued', '2999-01-01T00:00:00.000+00:00', '2026-01-01T00:00:00.000+00:00' FROM stores;";
    assert_eq!(next(waits), (later.to_owned(), "2999-01-01T00:00:00Z".into()));
    let paused = "UPDATE stores SET paused_at = '2026-01-01T00:00:00.000+00:00',
         paused_until = '2999-01-01T00:00:00.000+00:00';";
    assert_eq!(next(paused).0, later);
    let revoked = "UPDATE credentials SET state = 'revoked', next_check_at = '2999-01-01T00:00:00.000+00:00';";
    assert_eq!(next(revoked).0, later);
}

#[test]
fn a_store_that_waits_for_a_person_has_no_next_run() {
    for sql in [
        "UPDATE stores SET paused_at = '2026-01-01T00:00:00.000+00:00';",
        "UPDATE stores SET schedule_full = '';",
        "UPDATE stores SET schedule_full = 'every day';",
        "UPDATE credentials SET state = 'revoked';",
    ] {
        assert_eq!(next(sql), ("-".to_owned(), Value::Null), "{sql}");
    }
}
