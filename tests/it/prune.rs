//! What the pruner forgets, and what it never does.

use chrono::TimeDelta;
use netosync::config::Config;
use netosync::storage::prune::{self, Cutoffs, Pruned};
use std::collections::BTreeMap;

use crate::support::mirrored::{execute, texts};
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    each_outcome_has_its_own_age_and_the_newest_and_the_last_success_of_each_kind_stay,
    records_that_were_read_after_all_are_forgotten_and_those_that_wait_are_not,
    many_go_in_batches_and_several_may_prune_at_once,
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
    assert_eq!(prune(&db).await, Pruned { runs: 0, quarantine: 1 });
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
