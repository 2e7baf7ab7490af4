//! What a described connector's lists lack: marked removed when two whole lists prove it, and never otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use netosync::domain::run::{RunKind, Verdict};
use netosync::storage::{held_removals, incidents, runs};
use proptest::prelude::*;
use serde_json::json;

use crate::support::described::Described;
use crate::support::rest::{record, stream};
use crate::support::{Fresh, TestDb, on_both_engines};

on_both_engines!(
    a_list_that_is_empty_removes_nothing_unless_a_person_says_so,
    a_list_that_is_shorter_than_it_says_removes_nothing,
    an_error_in_the_middle_of_a_list_removes_nothing,
    more_than_the_guard_lets_pass_waits_for_a_person_or_for_a_second_run,
    what_one_list_lacks_and_the_next_has_is_not_gone,
    what_was_deleted_between_two_pages_hides_no_other,
    a_list_with_the_newest_first_that_grows_all_the_time_is_mirrored_all_the_same,
    keys_that_come_twice_every_time_are_the_apis_way_but_prove_no_removal,
);

async fn a_list_that_is_empty_removes_nothing_unless_a_person_says_so(db: TestDb) {
    let world = Described::new(db, &[stream("page", "users"), stream("all", "groups")].concat()).await;
    world.rest.fill("users", 1..=5);
    world.rest.fill("groups", 1..=2);
    world.sync(RunKind::Full).await;
    world.rest.fill("users", 1..1);
    for status in [200, 204, 204] {
        world.rest.hook(move |_, path| (status == 204 && path.starts_with("/page")).then(|| (204, String::new())));
        let run = world.sync(RunKind::Sweep).await;
        assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 0), "{status}");
        let said = run.error.expect("a reason");
        assert!(
            said.contains("nothing is listed, and 5 records are held") && said.contains("--approve-removals"),
            "{said}"
        );
    }
    let opened = incidents::open(&world.db, None).await.expect("readable");
    assert_eq!(opened.len(), 1, "a person is told once");
    assert_eq!(world.held("users").await.len(), 5);

    let run = world.enqueue(RunKind::Sweep).await;
    runs::approve_removals(&world.db, run.id).await.expect("approved");
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Complete), 5), "{:?}", run.error);
    assert!(world.held("users").await.is_empty());
    assert_eq!(world.held("groups").await.len(), 2);
    assert!(incidents::open(&world.db, None).await.expect("readable").is_empty());
}

async fn a_list_that_is_shorter_than_it_says_removes_nothing(db: TestDb) {
    let world = Described::new(db, &stream("page", "users")).await;
    world.rest.fill("users", 1..=7);
    world.sync(RunKind::Full).await;
    world.rest.hook(|_, path| {
        let page = json!({ "data": [record(1), record(2), record(3)], "meta": { "total": 7 } });
        let empty = json!({ "data": [], "meta": { "total": 7 } });
        Some((200, if path.contains("page=1") { page } else { empty }.to_string()))
    });
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 0));
    assert!(run.error.is_some_and(|said| said.starts_with("stream users: it says that there are 7 in all")));
    assert_eq!(world.held("users").await.len(), 7);
}

async fn an_error_in_the_middle_of_a_list_removes_nothing(db: TestDb) {
    let world = Described::new(db, &[stream("page", "users"), stream("all", "groups")].concat()).await;
    world.rest.fill("users", 1..=7);
    world.rest.fill("groups", 1..=2);
    world.sync(RunKind::Full).await;
    world.rest.hook(|_, path| path.contains("page=2").then(|| (400, "{}".to_owned())));
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 0));
    assert_eq!(world.held("users").await.len(), 7);
    world.rest.hook(|_, path| path.contains("page=2").then(|| (200, r#"{"error":"try later"}"#.to_owned())));
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 0));
    assert!(run.error.is_some_and(|said| said.contains("stream users: the answer has no `data`")));
    assert_eq!(world.held("users").await.len(), 7);
}

async fn more_than_the_guard_lets_pass_waits_for_a_person_or_for_a_second_run(db: TestDb) {
    let world = Described::new(db, &[stream("all", "users"), stream("page", "groups")].concat()).await;
    world.rest.fill("users", 1..=30);
    world.rest.fill("groups", 1..=30);
    world.sync(RunKind::Full).await;
    world.rest.fill("users", 1..=19); // 11 are missing, 10 may be
    world.rest.fill("groups", 1..=20); // 10 are missing
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 10));
    let said = run.error.expect("a reason");
    assert!(
        said.contains("stream users: 11 of the 30 records held are not listed any more, and no more than 10"),
        "{said}"
    );
    assert!(held_removals::of_store(&world.db, world.store.id).await.expect("readable").is_some());

    // Another one goes: that is not the same any more.
    world.rest.fill("users", 1..=18);
    assert_eq!(world.sync(RunKind::Sweep).await.counts.removed, 0);
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Complete), 12), "{:?}", run.error);
    world.assert_exact("users").await;
    assert!(held_removals::of_store(&world.db, world.store.id).await.expect("readable").is_none());

    world.rest.fill("users", 1..=1);
    let run = world.enqueue(RunKind::Sweep).await;
    runs::approve_removals(&world.db, run.id).await.expect("approved");
    assert_eq!(world.sync(RunKind::Sweep).await.counts.removed, 17);
    world.assert_exact("users").await;
}

async fn what_one_list_lacks_and_the_next_has_is_not_gone(db: TestDb) {
    let world = Described::new(db, &stream("all", "users")).await;
    world.rest.fill("users", 1..=7);
    world.sync(RunKind::Full).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    world.rest.hook(move |lists, _| {
        let shown = if counted.fetch_add(1, Ordering::SeqCst) == 0 { 1..=5 } else { 1..=7 };
        lists.insert("users".to_owned(), shown.map(record).collect());
        None
    });
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed, calls.load(Ordering::SeqCst)), (Some(Verdict::Complete), 0, 2));
    world.assert_exact("users").await;
}

async fn what_was_deleted_between_two_pages_hides_no_other(db: TestDb) {
    let world = Described::new(db, &stream("plain", "users")).await;
    world.rest.fill("users", 1..=9);
    world.sync(RunKind::Full).await;
    // In each list a record of the page before goes, so that another slips to that page: 4 in the first list, and in the second.
    let mut second_pages = 0;
    world.rest.hook(move |lists, path| {
        let users = lists.get_mut("users").expect("a list");
        if path.contains("offset=3") {
            second_pages += 1;
            if second_pages <= 2 {
                users.remove(0);
            }
        } else if path.contains("offset=0") && second_pages == 1 {
            users.insert(0, record(100));
        }
        None
    });
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, &run.error), (Some(Verdict::Repaired), &None));
    world.assert_exact("users").await;
    assert!(world.feed(9).await.0.iter().all(|line| line != "removed users/4"));
}

async fn keys_that_come_twice_every_time_are_the_apis_way_but_prove_no_removal(db: TestDb) {
    let world = Described::new(db, &stream("plain", "users")).await;
    let twice = |to: u32| (1..=to).chain([1]).map(record).collect::<Vec<_>>();
    world.rest.api().lists.insert("users".to_owned(), twice(6));
    let run = world.sync(RunKind::Full).await;
    assert_eq!((run.verdict, run.counts.seen, &run.error), (Some(Verdict::Complete), 6, &None));
    world.rest.api().lists.insert("users".to_owned(), twice(5));
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed), (Some(Verdict::Partial), 0));
    assert!(run.error.is_some_and(|said| said.contains("really a key")));
    assert_eq!(world.held("users").await.len(), 6);
}

async fn a_list_with_the_newest_first_that_grows_all_the_time_is_mirrored_all_the_same(db: TestDb) {
    let world = Described::new(db, &stream("plain", "users")).await;
    world.rest.fill("users", 1..=7);
    world.sync(RunKind::Full).await;
    world.rest.change("users", |users| drop(users.remove(3)));
    let mut new = 100;
    world.rest.hook(move |lists, _| {
        new += 1;
        lists.get_mut("users").expect("a list").insert(0, record(new));
        None
    });
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.removed, &run.error), (Some(Verdict::Repaired), 1, &None));
    let held = world.held("users").await;
    assert!(!held.contains_key("4") && held.len() > 10, "{held:?}");
}

/// An edit between two calls.
#[derive(Clone, Debug)]
enum Edit {
    Nothing,
    Add(usize),
    Remove(usize),
    /// From one place to another, as in a list that is ordered by the last edit.
    Move(usize, usize),
    Rename(usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        3 => Just(Edit::Nothing),
        1 => any::<usize>().prop_map(Edit::Add),
        2 => any::<usize>().prop_map(Edit::Remove),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Edit::Move(from, to)),
        1 => any::<usize>().prop_map(Edit::Rename),
    ];
    prop::collection::vec(edit, 0..24)
}

async fn a_moving_list_loses_no_record_that_is_there_throughout(style: &'static str, length: u32, edits: Vec<Edit>) {
    let world = Described::new(TestDb::on_sqlite().await, &stream(style, "users")).await;
    world.rest.fill("users", 1..=length);
    world.sync(RunKind::Full).await;
    let (mut edits, mut new) = (edits.into_iter(), 1000);
    world.rest.hook(move |lists, _| {
        let users = lists.get_mut("users").expect("a list");
        let length = users.len();
        match edits.next() {
            Some(Edit::Add(at)) => {
                new += 1;
                users.insert(at % (length + 1), record(new));
            }
            Some(Edit::Remove(at)) if length > 0 => drop(users.remove(at % length)),
            Some(Edit::Move(from, to)) if length > 0 => {
                let moved = users.remove(from % length);
                users.insert(to % length, moved);
            }
            Some(Edit::Rename(at)) if length > 0 => users[at % length]["name"] = json!("renamed"),
            _ => {}
        }
        None
    });
    let before = world.held("users").await;
    // New since then, and there before the run begins.
    world.rest.change("users", |users| {
        users.push(record(501));
        users.insert(users.len() / 2, record(502));
    });
    let there = world.truth("users");

    let run = world.sync(RunKind::Sweep).await;

    let (held, truth) = (world.held("users").await, world.truth("users"));
    for key in before.keys().filter(|key| truth.contains_key(*key)) {
        assert!(held.contains_key(key), "{key} is there throughout, and was removed: {:?}", run.error);
    }
    if run.verdict != Some(Verdict::Partial) {
        for key in there.keys().filter(|key| truth.contains_key(*key)) {
            assert!(held.contains_key(key), "{key} is there throughout, and was not seen: {:?}", run.verdict);
        }
    }
    // And when all is quiet again, the mirror is exact.
    world.rest.no_hook();
    let run = world.enqueue(RunKind::Sweep).await;
    runs::approve_removals(&world.db, run.id).await.expect("approved");
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!(run.verdict, Some(Verdict::Complete), "{:?}", run.error);
    world.assert_exact("users").await;
}

/// How many catalogues of edits are tried.
fn seeds() -> u32 {
    std::env::var("NETOSYNC_TEST_SEEDS").map_or(48, |seeds| seeds.parse().expect("a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: seeds(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_between_pages_never_remove_a_record_that_is_there_throughout(
        style in prop::sample::select(vec!["page", "plain", "offset", "link", "header", "token"]),
        length in 1_u32..25,
        edits in edits(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(a_moving_list_loses_no_record_that_is_there_throughout(style, length, edits));
    }
}
