//! The table of records and its change feed: what a page writes, what it leaves alone, and who may write.

use chrono::TimeDelta;
use netosync::domain::run::{Checkpoint, Counts, Lease, RunKind, Trigger};
use netosync::storage::changes::{self, Subject};
use netosync::storage::products::Quarantined;
use netosync::storage::prune::{self, Cutoffs};
use netosync::storage::records::{self, PageWrite, Record, Removal};
use netosync::storage::runs::{self, Claim};
use netosync::storage::stores::{self, NewStore};
use netosync::storage::{StorageError, consumers, overview, store_removal};

use crate::support::mirrored::texts;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_page_of_records_is_written_with_its_feed_and_an_unchanged_one_is_not,
    a_record_that_comes_back_is_restored_and_its_line_says_what_is_different,
    what_a_record_says_is_kept_to_the_last_digit,
    a_run_that_lost_its_lease_writes_no_record,
    the_same_numbers_and_readers_serve_a_feed_of_records,
    a_store_with_records_is_removed_with_all_of_them,
    keys_that_are_held_come_in_order_and_without_the_removed,
);

const LEASE_FOR: TimeDelta = TimeDelta::minutes(1);

/// A store of a described connector with a run at work.
async fn at_work(db: &TestDb) -> Lease {
    let new = NewStore {
        name: "crm".to_owned(),
        connector: "some-api".to_owned(),
        url: "https://crm.example.com".parse().expect("a URL"),
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: None,
    };
    let store = stores::add_store(db, &new).await.expect("added");
    let now = db.clock().now();
    runs::enqueue(db, store.id, RunKind::Full, Trigger::Manual, now).await.expect("a queue");
    let claim = Claim { owner: "worker", lease_for: LEASE_FOR, only: None, limit: 1, now };
    runs::claim(db, &claim).await.expect("a queue").pop().expect("due").1
}

fn page<'a>(db: &TestDb, lease: &'a Lease, records: &'a [Record<'a>], checkpoint: &'a Checkpoint) -> PageWrite<'a> {
    PageWrite {
        lease,
        lease_for: LEASE_FOR,
        stream: "users",
        records,
        again: false,
        quarantined: &[],
        checkpoint,
        counts: Counts::default(),
        now: db.clock().now(),
    }
}

async fn commit(db: &TestDb, lease: &Lease, records: &[(&str, &str)]) -> Counts {
    let records: Vec<_> = records.iter().map(|(key, data)| Record { key, data }).collect();
    let checkpoint = Checkpoint::default();
    records::commit_page(db, page(db, lease, &records, &checkpoint)).await.expect("the lease holds")
}

async fn remove(db: &TestDb, lease: &Lease, keys: &[&str]) -> Counts {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let removal = Removal {
        lease,
        lease_for: LEASE_FOR,
        stream: "users",
        keys: &keys,
        checkpoint: &Checkpoint::default(),
        counts: Counts::default(),
        now: db.clock().now(),
    };
    records::mark_removed(db, removal).await.expect("the lease holds")
}

/// The feed as `seq kind stream/key fields`.
async fn feed(db: &TestDb, store_id: i64) -> Vec<String> {
    let lines = changes::after(db, store_id, None, 99).await.expect("readable");
    let told = lines.into_iter().map(|line| {
        let Subject::Record { stream, key } = line.subject else { panic!("a record") };
        let fields = line.fields.map_or_else(String::new, |fields| format!(" {fields}"));
        format!("{} {} {stream}/{key}{fields}", line.seq, line.kind)
    });
    told.collect()
}

/// When each record of the users was first seen, changed and removed.
async fn times(db: &TestDb) -> Vec<Vec<Option<String>>> {
    let sql = "SELECT key, CAST(first_seen_at AS TEXT), CAST(changed_at AS TEXT), CAST(removed_at AS TEXT) \
         FROM records WHERE stream = 'users' ORDER BY key";
    texts(db, sql).await
}

async fn a_page_of_records_is_written_with_its_feed_and_an_unchanged_one_is_not(db: TestDb) {
    let lease = at_work(&db).await;
    let first = [("1", r#"{"id":1,"name":"Ann"}"#), ("2", r#"{"id":2,"name":"Bob"}"#)];
    let counts = commit(&db, &lease, &first).await;
    assert_eq!((counts.inserted, counts.updated, counts.unchanged), (2, 0, 0));
    let before = times(&db).await;

    db.clock.advance(TimeDelta::seconds(10));
    let counts = commit(&db, &lease, &first).await;
    assert_eq!((counts.inserted, counts.updated, counts.unchanged), (0, 0, 2));
    assert_eq!(times(&db).await, before);

    let counts = commit(&db, &lease, &[first[0], ("2", r#"{"age":7,"id":2,"name":"Rob"}"#)]).await;
    assert_eq!((counts.inserted, counts.updated, counts.unchanged), (0, 1, 1));
    let after = times(&db).await;
    assert_eq!(after[0], before[0]);
    assert!(after[1][1] == before[1][1] && after[1][2] != before[1][2], "{after:?}");
    assert_eq!(
        feed(&db, lease.store_id).await,
        [
            r#"1 added users/1 {"id":[null,1],"name":[null,"Ann"]}"#,
            r#"2 added users/2 {"id":[null,2],"name":[null,"Bob"]}"#,
            r#"3 changed users/2 {"age":[null,7],"name":["Bob","Rob"]}"#,
        ]
    );
}

async fn a_record_that_comes_back_is_restored_and_its_line_says_what_is_different(db: TestDb) {
    let lease = at_work(&db).await;
    commit(&db, &lease, &[("1", r#"{"id":1,"n":1}"#), ("2", r#"{"id":2}"#)]).await;
    assert_eq!(remove(&db, &lease, &["1", "9"]).await.removed, 1);
    assert_eq!(remove(&db, &lease, &["1"]).await.removed, 0, "once");
    assert!(times(&db).await[0][3].is_some());

    let counts = commit(&db, &lease, &[("1", r#"{"id":1,"n":2}"#)]).await;

    assert_eq!((counts.inserted, counts.updated), (0, 1));
    assert!(times(&db).await[0][3].is_none());
    assert_eq!(feed(&db, lease.store_id).await[2..], ["3 removed users/1", r#"4 restored users/1 {"n":[1,2]}"#]);
}

async fn what_a_record_says_is_kept_to_the_last_digit(db: TestDb) {
    let lease = at_work(&db).await;
    let data = r#"{"a":12345678901234567890.12345678901234567890,"b":"é\n\"","c":[1.50,null,{"x":true}]}"#;
    commit(&db, &lease, &[("k'\"\\é", data)]).await;
    let held = texts(&db, "SELECT CAST(data AS TEXT), key FROM records").await;
    let held: Vec<_> = held[0].iter().flatten().collect();
    assert_eq!(netosync::domain::json::canonical(held[0]).as_deref(), Some(data));
    assert_eq!(held[1], "k'\"\\é");
    // The same number in another spelling is another content; which fields are told apart is the database's to say.
    assert_eq!(commit(&db, &lease, &[("n", r#"{"same":1e5,"x":1}"#)]).await.inserted, 1);
    assert_eq!(commit(&db, &lease, &[("n", r#"{"same":1e5,"x":2}"#)]).await.updated, 1);
    let last = feed(&db, lease.store_id).await.pop();
    assert_eq!(last.as_deref(), Some(r#"3 changed users/n {"x":[1,2]}"#));
}

async fn a_run_that_lost_its_lease_writes_no_record(db: TestDb) {
    let lease = at_work(&db).await;
    commit(&db, &lease, &[("1", "{}")]).await;
    let stale = Lease { epoch: lease.epoch - 1, ..lease.clone() };
    let checkpoint = Checkpoint::default();
    let bad = [Quarantined { inventory_id: None, reason: "r".to_owned(), raw: "x".into() }];
    let new = [Record { key: "2", data: "{}" }];
    let page = PageWrite { quarantined: &bad, ..page(&db, &stale, &new, &checkpoint) };
    let lost = records::commit_page(&db, page).await.expect_err("lost");
    assert!(matches!(lost, StorageError::LeaseLost { .. }), "{lost}");
    let keys = ["1".to_owned()];
    let removal = Removal {
        lease: &stale,
        lease_for: LEASE_FOR,
        stream: "users",
        keys: &keys,
        checkpoint: &checkpoint,
        counts: Counts::default(),
        now: db.clock().now(),
    };
    let lost = records::mark_removed(&db, removal).await.expect_err("lost");
    assert!(matches!(lost, StorageError::LeaseLost { .. }), "{lost}");
    assert_eq!(feed(&db, lease.store_id).await.len(), 1);
    assert_eq!(records::count(&db, lease.store_id).await.expect("readable"), 1);
    assert_eq!(texts(&db, "SELECT raw FROM quarantine").await.len(), 0);
}

async fn the_same_numbers_and_readers_serve_a_feed_of_records(db: TestDb) {
    let lease = at_work(&db).await;
    let store = lease.store_id;
    commit(&db, &lease, &[("1", "{}"), ("2", "{}"), ("3", "{}")]).await;
    assert_eq!(changes::last(&db, store).await.expect("readable"), 3);
    let lines = changes::after(&db, store, Some(1), 1).await.expect("readable");
    assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [2]);
    let now = db.clock().now();
    assert_eq!(consumers::position(&db, "search", store, now).await.expect("known"), 0);
    assert_eq!(consumers::acknowledge(&db, "search", store, 2, now).await.expect("there"), 2);

    db.clock.advance(TimeDelta::days(40));
    let old = db.clock().now() - TimeDelta::days(30);
    let cutoffs = Cutoffs {
        succeeded_before: old,
        failed_before: old,
        changes_before: Some(old),
        unread_changes_before: Some(old - TimeDelta::days(60)),
    };
    assert_eq!(prune::count(&db, &cutoffs).await.expect("readable").changes, 2, "the reader has yet to read line 3");
    assert_eq!(prune::batch(&db, &cutoffs).await.expect("writable").changes, 2);
    let refused = changes::after(&db, store, Some(0), 9).await.expect_err("gone");
    assert!(matches!(refused, StorageError::ChangesGone { asked: 1, first: 3 }), "{refused}");
    assert_eq!(feed(&db, store).await, ["3 added users/3 {}"]);
}

async fn a_store_with_records_is_removed_with_all_of_them(db: TestDb) {
    let lease = at_work(&db).await;
    commit(&db, &lease, &[("1", "{}"), ("2", "{}")]).await;
    remove(&db, &lease, &["2"]).await;
    assert_eq!(overview::of_store(&db, "crm").await.expect("readable").products, 1);
    assert_eq!(overview::of_all(&db).await.expect("readable")[0].products, 1);

    store_removal::remove_store(&db, "crm").await.expect("removed");

    for table in ["records", "record_changes"] {
        assert_eq!(texts(&db, &format!("SELECT key FROM {table}")).await.len(), 0, "{table}");
    }
}

async fn keys_that_are_held_come_in_order_and_without_the_removed(db: TestDb) {
    let lease = at_work(&db).await;
    let keys: Vec<String> = (0..25).map(|n| format!("Key-{n}")).collect();
    let records: Vec<_> = keys.iter().map(|key| (key.as_str(), "{}")).collect();
    commit(&db, &lease, &records).await;
    remove(&db, &lease, &["Key-3"]).await;
    let mut held = Vec::new();
    loop {
        let after = held.last().map(String::as_str);
        let next = records::held_keys(&db, lease.store_id, "users", after, 7).await.expect("readable");
        if next.is_empty() {
            break;
        }
        held.extend(next);
    }
    held.sort();
    let mut wanted: Vec<_> = keys.into_iter().filter(|key| key != "Key-3").collect();
    wanted.sort();
    assert_eq!(held, wanted);
    assert_eq!(records::count_stream(&db, lease.store_id, "users").await.expect("readable"), 24);
    assert_eq!(records::count_stream(&db, lease.store_id, "others").await.expect("readable"), 0);
    assert!(records::held_keys(&db, lease.store_id, "others", None, 9).await.expect("readable").is_empty());
}
