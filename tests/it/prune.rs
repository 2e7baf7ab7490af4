//! What the pruner forgets, and what it never does.

use chrono::TimeDelta;
use netosync::config::Config;
use netosync::storage::prune::{self, Cutoffs, Pruned};
use netosync::storage::{StorageError, changes, consumers};
use std::collections::BTreeMap;

use crate::support::mirrored::{execute, texts};
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    each_outcome_has_its_own_age_and_the_newest_and_the_last_success_of_each_kind_stay,
    records_that_were_read_after_all_are_forgotten_and_those_that_wait_are_not,
    many_go_in_batches_and_several_may_prune_at_once,
    of_the_feed_only_the_oldest_lines_go_and_never_what_a_consumer_has_yet_to_read,
    the_feed_is_kept_for_ever_unless_a_person_says_otherwise,
);

/// A run of a store that ended so many days ago (none: unfinished).
async fn add_run(db: &TestDb, store: i64, kind: &str, state: &str, days: Option<i64>) {
    let at = (db.clock().now() - TimeDelta::days(days.unwrap_or(1000))).to_rfc3339();
    let finished = days.map_or("NULL".to_owned(), |_| format!("'{at}'"));
    let sql = format!(
        "INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at, finished_at) \
         VALUES ({store}, '{kind}', 'schedule', '{state}', '{at}', '{at}', {finished})"
    );
    execute(db, &sql).await;
}

async fn add_store(db: &TestDb, name: &str) {
    let sql = "INSERT INTO stores (name, connector, url, created_at) VALUES";
    execute(db, &format!("{sql} ('{name}', 'neto', 'https://a', '2026-01-01T00:00:00+00:00')")).await;
}

fn cutoffs(db: &TestDb) -> Cutoffs {
    let config = Config::from_parts(None, &BTreeMap::new()).expect("the defaults");
    Cutoffs::of(&config.retention, db.clock().now())
}

async fn prune(db: &TestDb) -> Pruned {
    prune::batch(db, &cutoffs(db)).await.expect("writable")
}

async fn left(db: &TestDb, table: &str) -> Vec<i64> {
    let rows = texts(db, &format!("SELECT CAST(id AS TEXT) FROM {table} ORDER BY id")).await;
    rows.into_iter().map(|row| row[0].as_deref().expect("a key").parse().expect("a number")).collect()
}

async fn each_outcome_has_its_own_age_and_the_newest_and_the_last_success_of_each_kind_stay(db: TestDb) {
    add_store(&db, "a").await;
    add_store(&db, "b").await;
    for (store, kind, state, days, stays) in [
        (1, "full", "succeeded", Some(200), false),
        (1, "full", "succeeded", Some(31), true), // the last success, though a failure is newer
        (1, "full", "failed", Some(91), false),
        (1, "full", "cancelled", Some(91), false),
        (1, "full", "failed", Some(89), true),
        (1, "sweep", "succeeded", Some(400), false),
        (1, "sweep", "succeeded", Some(300), true), // the newest of its kind, and its last success
        (1, "incremental", "failed", Some(500), true), // the newest of its kind
        (1, "full", "failed", Some(95), false),     // a longer one that began later
        (1, "full", "running", None, true),
        (2, "full", "succeeded", Some(31), false),
        (2, "full", "succeeded", Some(29), true),
        (2, "full", "succeeded", Some(28), true),
    ] {
        add_run(&db, store, kind, state, days).await;
        // What stays is told by the counter, so that the table above says it.
        execute(&db, &format!("UPDATE runs SET pages = {} WHERE id = (SELECT MAX(id) FROM runs)", i32::from(stays)))
            .await;
    }
    let stay = texts(&db, "SELECT CAST(id AS TEXT) FROM runs WHERE pages = 1 ORDER BY id").await.len();

    let counted = prune::count(&db, &cutoffs(&db)).await.expect("readable");
    let pruned = prune(&db).await;

    assert_eq!(pruned, counted);
    let wrong = texts(&db, "SELECT CAST(id AS TEXT), kind, state FROM runs WHERE pages = 0").await;
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(left(&db, "runs").await.len(), stay);
    assert_eq!(prune(&db).await, Pruned::default());
}

async fn records_that_were_read_after_all_are_forgotten_and_those_that_wait_are_not(db: TestDb) {
    add_store(&db, "a").await;
    let now = db.clock().now();
    for days in [None, Some(29), Some(31)] {
        let replayed =
            days.map_or("NULL".to_owned(), |days| format!("'{}'", (now - TimeDelta::days(days)).to_rfc3339()));
        let sql = "INSERT INTO quarantine (store_id, reason, raw, at, replayed_at) VALUES";
        execute(&db, &format!("{sql} (1, 'r', '{{}}', '2020-01-01T00:00:00+00:00', {replayed})")).await;
    }
    assert_eq!(prune(&db).await, Pruned { quarantine: 1, ..Pruned::default() });
    assert_eq!(left(&db, "quarantine").await, [1, 2]);
}

async fn many_go_in_batches_and_several_may_prune_at_once(db: TestDb) {
    add_store(&db, "a").await;
    let at = (db.clock().now() - TimeDelta::days(100)).to_rfc3339();
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1201) \
         INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at, finished_at) \
         SELECT 1, 'full', 'schedule', 'failed', CAST('{at}' AS {0}), CAST('{at}' AS {0}), CAST('{at}' AS {0}) FROM n",
        if db.engine() == netosync::storage::Engine::Postgres { "timestamptz" } else { "text" }
    );
    execute(&db, &sql).await;
    let one = async || {
        let mut runs = 0;
        loop {
            match prune(&db).await.runs {
                0 => return runs,
                batch => {
                    assert!(batch <= 500);
                    runs += batch;
                }
            }
        }
    };
    let (first, second, third) = tokio::join!(one(), one(), one());
    // A batch that met locked rows only may say that nothing is left.
    let rest = one().await;
    assert_eq!(first + second + third + rest, 1200);
    assert_eq!(left(&db, "runs").await, [1201]);
}

/// A store whose feed has a line for each age in days.
async fn add_lines(db: &TestDb, store: i64, days: &[i64]) {
    for (seq, days) in (1..).zip(days) {
        let at = (db.clock().now() - TimeDelta::days(*days)).to_rfc3339();
        let sql = "INSERT INTO product_change_lines (store_id, seq, inventory_id, kind, at) VALUES";
        execute(db, &format!("{sql} ({store}, {seq}, 7, 'changed', '{at}')")).await;
    }
    execute(db, &format!("UPDATE stores SET change_seq = {} WHERE id = {store}", days.len())).await;
}

/// The lines that are left of a store.
async fn lines(db: &TestDb, store: i64) -> Vec<String> {
    let sql =
        format!("SELECT CAST(seq AS TEXT) FROM product_changes WHERE store_id = {store} ORDER BY product_changes.seq");
    texts(db, &sql).await.into_iter().map(|row| row[0].clone().expect("a number")).collect()
}

async fn of_the_feed_only_the_oldest_lines_go_and_never_what_a_consumer_has_yet_to_read(db: TestDb) {
    for (name, days) in [
        ("plain", [40, 35, 20, 33].as_slice()), // the clock went wrong: line 4 is old, but stays behind line 3
        ("read", &[40, 35, 33, 1]),
        ("waits", &[40, 35, 33, 1]),
        ("abandoned", &[99, 98, 33, 1]),
        ("old", &[40, 40]),
    ] {
        add_store(&db, name).await;
        let store = netosync::storage::stores::find_store(&db, name).await.expect("added").id;
        add_lines(&db, store, days).await;
    }
    for (store, consumer, seq) in [(2, "a", 4), (2, "b", 2), (3, "a", 4), (3, "b", 0), (4, "a", 0)] {
        consumers::position(&db, consumer, store, db.clock().now()).await.expect("known");
        consumers::acknowledge(&db, consumer, store, seq, db.clock().now()).await.expect("there are such lines");
    }
    let now = db.clock().now();
    let cutoffs = Cutoffs {
        changes_before: Some(now - TimeDelta::days(30)),
        unread_changes_before: Some(now - TimeDelta::days(90)),
        ..cutoffs(&db)
    };

    let counted = prune::count(&db, &cutoffs).await.expect("readable");
    let mut pruned = prune::batch(&db, &cutoffs).await.expect("writable");
    pruned += prune::batch(&db, &cutoffs).await.expect("writable");

    assert_eq!(pruned, Pruned { changes: 2 + 2 + 2 + 2, ..Pruned::default() });
    assert_eq!(counted.changes, pruned.changes);
    let mut left = Vec::new();
    for store in 1..=5 {
        left.push(lines(&db, store).await.join(" "));
    }
    assert_eq!(left, ["3 4", "3 4", "1 2 3 4", "3 4", ""]);
    // Who asks for what is gone is told where the feed begins.
    for (store, after, first) in [(1, 0, 3), (1, 1, 3), (5, 1, 3)] {
        let refused = changes::after(&db, store, Some(after), 9).await.expect_err("gone");
        assert!(
            matches!(refused, StorageError::ChangesGone { asked, first: told } if (asked, told) == (after + 1, first)),
            "{refused:?}"
        );
    }
    assert_eq!(changes::after(&db, 1, Some(2), 9).await.expect("there").len(), 2);
    assert_eq!(changes::after(&db, 1, None, 9).await.expect("there").len(), 2);
    assert_eq!(changes::after(&db, 5, Some(2), 9).await.expect("there").len(), 0);
    let refused = changes::after(&db, 5, Some(3), 9).await.expect_err("never written");
    assert!(matches!(refused, StorageError::ChangesAhead { seq: 3, last: 2 }), "{refused:?}");
}

async fn the_feed_is_kept_for_ever_unless_a_person_says_otherwise(db: TestDb) {
    add_store(&db, "a").await;
    add_lines(&db, 1, &[9999]).await;
    assert_eq!(prune(&db).await, Pruned::default());
    assert_eq!(lines(&db, 1).await, ["1"]);
}
