//! Runs of described connectors: lists in every style are mirrored exactly, and what does not change is not written.

use netosync::domain::error::ErrorClass;
use netosync::domain::run::{RunKind, RunState, Verdict};
use netosync::domain::store::CredentialState;
use netosync::storage::{cursors, overview, quarantine};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::described::Described;
use crate::support::dump::dump;
use crate::support::rest::{record, stream};
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    lists_in_pages_of_every_style_are_mirrored_exactly,
    a_second_run_that_meets_nothing_new_writes_no_row,
    what_changes_comes_and_goes_is_in_the_rows_and_in_the_feed,
    a_run_that_is_stopped_or_killed_at_a_page_goes_on_there,
    a_record_that_cannot_be_read_is_quarantined_and_the_run_says_so,
    a_key_that_is_refused_is_in_doubt_and_then_revoked_and_comes_back,
    an_incremental_run_asks_for_what_changed_since_the_cursor_and_lists_the_rest_whole,
    a_stream_that_cannot_be_read_keeps_no_other_from_being_read,
    a_store_of_an_unknown_connector_fails_with_a_sentence,
    a_list_that_is_too_long_ends,
);

const STYLES: [&str; 7] = ["all", "page", "plain", "offset", "link", "header", "token"];

async fn lists_in_pages_of_every_style_are_mirrored_exactly(db: TestDb) {
    let streams: String = STYLES.map(|style| stream(style, &format!("of-{style}"))).concat();
    let world = Described::new(db, &streams).await;
    // Nothing, one, a page, a page and one, several.
    for (kind, length) in
        [(RunKind::Full, 0), (RunKind::Sweep, 1), (RunKind::Sweep, 3), (RunKind::Full, 4), (RunKind::Sweep, 20)]
    {
        for style in STYLES {
            world.rest.fill(&format!("of-{style}"), 1..=length);
        }
        let run = world.sync(kind).await;
        assert_eq!(
            (run.state, run.verdict, &run.error),
            (RunState::Succeeded, Some(Verdict::Complete), &None),
            "{length}"
        );
        for style in STYLES {
            world.assert_exact(&format!("of-{style}")).await;
        }
        assert_eq!(run.counts.seen, 7 * i64::from(length), "{length}");
        assert_eq!(run.counts.inserted + run.counts.unchanged, 7 * i64::from(length), "{length}");
    }
    let overview = overview::of_store(&world.db, "rest").await.expect("readable");
    assert_eq!(overview.products, 7 * 20);
    assert_eq!(overview.store.as_of, overview.last_succeeded.expect("a run").started_at);
}

async fn a_second_run_that_meets_nothing_new_writes_no_row(db: TestDb) {
    let world = Described::new(db, &[stream("page", "users"), stream("all", "groups")].concat()).await;
    world.rest.fill("users", 1..=8);
    world.rest.fill("groups", 1..=2);
    assert_eq!(world.sync(RunKind::Full).await.counts.inserted, 10);
    let before = dump(&world.db).await;
    world.db.clock.advance(chrono::TimeDelta::hours(1));
    world.rest.calls();

    let run = world.sync(RunKind::Sweep).await;

    assert_eq!((run.counts.inserted, run.counts.updated, run.counts.unchanged), (0, 0, 10));
    let after = dump(&world.db).await;
    for table in ["records", "record_changes", "cursors", "quarantine"] {
        assert_eq!(before[table], after[table], "{table}");
    }
    assert_eq!(world.rest.calls().len(), 3 + 3 + 1, "what comes in several pages is listed twice");
}

async fn what_changes_comes_and_goes_is_in_the_rows_and_in_the_feed(db: TestDb) {
    let world = Described::new(db, &stream("page", "users")).await;
    world.rest.fill("users", 1..=7);
    world.sync(RunKind::Full).await;
    let (first, seq) = world.feed(0).await;
    assert_eq!((first.len(), seq), (7, 7));

    world.rest.change("users", |users| {
        users[1]["name"] = json!("changed");
        users.remove(4);
        users.push(record(8));
    });
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.error), (Some(Verdict::Complete), None));
    assert_eq!((run.counts.inserted, run.counts.updated, run.counts.removed), (1, 1, 1));
    world.assert_exact("users").await;
    let (lines, seq) = world.feed(seq).await;
    assert_eq!(lines, ["changed users/2", "added users/8", "removed users/5"]);

    world.rest.change("users", |users| users.push(record(5)));
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.verdict, run.counts.updated), (Some(Verdict::Complete), 1));
    world.assert_exact("users").await;
    assert_eq!(world.feed(seq).await.0, ["restored users/5"]);
}

async fn a_run_that_is_stopped_or_killed_at_a_page_goes_on_there(db: TestDb) {
    let world = Described::new(db, &[stream("page", "users"), stream("link", "groups")].concat()).await;
    world.rest.fill("users", 1..=9);
    world.rest.fill("groups", 1..=9);
    world.enqueue(RunKind::Sweep).await;
    let stop = CancellationToken::new();
    let (stopped, mut calls) = (stop.clone(), 0);
    world.rest.hook(move |_, _| {
        calls += 1;
        if calls == 2 {
            stopped.cancel();
        }
        None
    });
    let run = world.work_once(&stop).await;
    assert_eq!((run.state, run.counts.inserted), (RunState::Queued, 6), "two pages, then it stops");
    assert_eq!(world.rest.calls(), ["/page/users?page=1&size=3", "/page/users?page=2&size=3"]);

    // A kill: the lease of the next attempt runs out while it waits for its second page.
    world.rest.no_hook();
    let clock = world.db.clock.clone();
    let lease = world.syncer.config.worker.lease();
    let mut calls = 0;
    world.rest.hook(move |_, _| {
        calls += 1;
        (calls == 4).then(|| (500, String::new()))
    });
    let (run, lost) = world.claim().await;
    let go_on = CancellationToken::new();
    let working = world.syncer.execute(run, lost, &go_on);
    tokio::select! {
        biased;
        () = async { while world.rest.api().calls.len() < 4 { tokio::task::yield_now().await } } => {}
        ended = working => ended.expect("the database works"),
    }
    world.rest.no_hook();
    world.rest.calls();
    clock.advance(lease + chrono::TimeDelta::seconds(1));

    let run = world.work_once(&CancellationToken::new()).await;

    assert_eq!((run.state, run.verdict, &run.error), (RunState::Succeeded, Some(Verdict::Complete), &None));
    world.assert_exact("users").await;
    world.assert_exact("groups").await;
    assert_eq!((run.counts.inserted, world.feed(0).await.1), (18, 18));
    // What was interrupted was listed once more from its beginning, because only then it is known that nothing is gone.
    assert!(world.rest.calls().contains(&"/link/groups".to_owned()));
}

async fn a_record_that_cannot_be_read_is_quarantined_and_the_run_says_so(db: TestDb) {
    let world = Described::new(db, &stream("page", "users")).await;
    world.rest.fill("users", 1..=7);
    world.sync(RunKind::Full).await;
    world.rest.change("users", |users| {
        users[1] = json!({ "name": "without a key" });
        users[2]["much"] = serde_json::from_str("1e308").expect("a number");
    });
    for _ in 0..2 {
        let run = world.sync(RunKind::Sweep).await;
        assert_eq!((run.verdict, run.counts.quarantined, run.counts.removed), (Some(Verdict::Partial), 1, 0));
        let said = run.error.expect("a reason");
        assert!(said.contains("quarantine") && said.contains("not taken for gone"), "{said}");
        let entries = quarantine::newest(&world.db, None, 9).await.expect("readable");
        assert_eq!(entries.len(), 1, "once, however often it is met");
        assert_eq!(entries[0].reason, "stream users: it has no `id`, which is its key");
    }
    assert_eq!(world.held("users").await.len(), 7);
}

async fn a_key_that_is_refused_is_in_doubt_and_then_revoked_and_comes_back(db: TestDb) {
    let world = Described::new(db, &stream("page", "users")).await;
    world.rest.fill("users", 1..=4);
    world.sync(RunKind::Full).await;
    "another".clone_into(&mut world.rest.api().key);
    let state = async || {
        let overview = overview::of_store(&world.db, "rest").await.expect("readable");
        overview.credential.expect("a key").state
    };

    world.enqueue(RunKind::Sweep).await;
    let run = world.work_once(&CancellationToken::new()).await;
    assert_eq!((run.state, run.error_class), (RunState::Queued, Some(ErrorClass::Unauthorized)));
    assert_eq!(state().await, CredentialState::Suspect);

    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)), "{:?}", run.error);
    assert_eq!(state().await, CredentialState::Revoked);

    "not-a-key".clone_into(&mut world.rest.api().key);
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.state, run.verdict), (RunState::Succeeded, Some(Verdict::Complete)));
    assert_eq!(state().await, CredentialState::Ok);
    assert_eq!(world.held("users").await.len(), 4);
}

async fn an_incremental_run_asks_for_what_changed_since_the_cursor_and_lists_the_rest_whole(db: TestDb) {
    let dated = format!("{}cursor = {{ field = \"updated\", param = \"since\" }}\n", stream("page", "users"));
    let world = Described::new(db, &[dated, stream("all", "groups")].concat()).await;
    world.rest.fill("users", 1..=7);
    world.rest.fill("groups", 1..=2);
    world.rest.change("users", |users| {
        users[3]["updated"] = json!("2027-01-10T12:00:00Z");
        users[4]["updated"] = json!("2999-01-01T00:00:00Z");
        users[5]["updated"] = json!("never");
    });
    assert_eq!(world.sync(RunKind::Incremental).await.counts.inserted, 9, "without a cursor all is listed");
    let marks = cursors::of_streams(&world.db, world.store.id).await.expect("readable");
    assert_eq!(
        json!(marks),
        json!({ "users": { "time": "2027-01-10T12:00:00Z" } }),
        "a date in the future is no cursor"
    );

    world.rest.change("users", |users| {
        users[0] = json!({ "id": 1, "name": "edited", "updated": "2027-01-11T00:00:00Z" });
        users[1]["name"] = json!("edited without a date");
        users.remove(2);
    });
    world.rest.change("groups", |groups| drop(groups.remove(0)));
    world.rest.calls();
    let run = world.sync(RunKind::Incremental).await;
    assert_eq!((run.verdict, run.error), (Some(Verdict::Complete), None));
    assert_eq!((run.counts.updated, run.counts.removed), (1, 1), "what moved no date is left to the next sweep");
    let overlap = world.syncer.config.fetch.overlap();
    let since = ("2027-01-10T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().expect("a time") - overlap)
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        .replace(':', "%3A");
    let calls = world.rest.calls();
    assert_eq!(calls[0], format!("/page/users?since={since}&page=1&size=3"));
    assert_eq!(calls.last().map(String::as_str), Some("/all/groups"));

    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.counts.updated, run.counts.removed), (1, 1));
    world.assert_exact("users").await;
    world.assert_exact("groups").await;
}

async fn a_stream_that_cannot_be_read_keeps_no_other_from_being_read(db: TestDb) {
    let check = "[check]\npath = \"/all/users\"\n";
    let streams =
        [check.to_owned(), stream("all", "missing"), stream("page", "users"), stream("all", "secrets")].concat();
    let world = Described::new(db, &streams).await;
    world.rest.fill("users", 1..=4);
    world.rest.fill("secrets", 1..=4);
    world.rest.hook(|_, path| path.starts_with("/all/secrets").then(|| (403, "{}".to_owned())));

    let run = world.sync(RunKind::Sweep).await;

    assert_eq!((run.state, run.verdict), (RunState::Succeeded, Some(Verdict::Partial)));
    let said = run.error.expect("a reason");
    assert!(said.contains("stream missing: ") && said.contains("stream secrets: ") && said.contains("403"), "{said}");
    world.assert_exact("users").await;
    let overview = overview::of_store(&world.db, "rest").await.expect("readable");
    assert_eq!(overview.credential.expect("a key").state, CredentialState::Ok);

    world.rest.change("users", Vec::clear);
    world.rest.hook(|_, _| Some((404, "{}".to_owned())));
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.state, run.error_class), (RunState::Failed, Some(ErrorClass::Rejected)), "nothing can be read");
}

async fn a_store_of_an_unknown_connector_fails_with_a_sentence(db: TestDb) {
    let world = Described::new(db, &stream("all", "users")).await;
    crate::support::mirrored::execute(&world.db, "UPDATE stores SET connector = 'nobody'").await;
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.state, run.error_class), (RunState::Failed, Some(ErrorClass::Config)));
    let said = run.error.expect("a reason");
    assert!(said.starts_with("rest: there is no connector nobody; there are neto"), "{said}");
    assert!(world.rest.calls().is_empty());
}

async fn a_list_that_is_too_long_ends(db: TestDb) {
    let world = Described::with(db, &stream("page", "users"), &[("NETOSYNC__FETCH__MAX_PAGES", "2")]).await;
    world.rest.fill("users", 1..=7);
    let run = world.sync(RunKind::Sweep).await;
    assert_eq!((run.state, run.error_class), (RunState::Failed, Some(ErrorClass::Data)));
    assert!(run.error.is_some_and(|said| said.contains("max_pages")));
    assert_eq!(world.held("users").await.len(), 6, "what came is kept");
}
