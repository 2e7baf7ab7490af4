//! Stores and keys out of the operator's own database: what their rows say comes true, and nothing else changes.

use chrono::TimeDelta;
use netosync::domain::lifecycle::{Judgement, Then};
use netosync::domain::secret::Secret;
use netosync::domain::store::{CredentialState, Origin, Scheme};
use netosync::import::{ImportError, Report};
use netosync::storage::imported::Turn;
use netosync::storage::standings::{self, Flag};
use netosync::storage::stores::{self, Change, StoreChanges};
use netosync::storage::vault::PlainCredential;
use netosync::storage::{Engine, credentials};

use crate::support::dump::dump;
use crate::support::theirs::{Desk, on_all_pairs};
use crate::support::world::key;

on_all_pairs!(
    stores_appear_with_their_keys,
    what_changes_in_a_row_changes_in_its_store_and_nothing_else,
    the_same_rows_again_write_nothing,
    a_row_that_says_so_or_is_gone_pauses_its_store_until_it_is_back,
    a_pause_by_a_person_is_never_lifted,
    a_store_added_by_hand_is_not_taken_over,
    a_revoked_key_counts_as_new_only_when_its_row_has_another,
    a_token_that_was_renewed_is_not_brought_back,
    settings_come_with_their_columns_and_go_with_their_values,
    whatever_a_column_is_made_of_is_read,
    stores_of_described_connectors_come_with_what_buys_their_tokens,
);

/// The names of the stores added, changed, paused and resumed, and how many are unchanged.
fn names(report: &Report) -> ([Vec<&str>; 4], usize) {
    let added = report.added.iter().map(String::as_str).collect();
    let changed = report.changed.iter().map(|one| one.store.as_str()).collect();
    let paused = report.paused.iter().map(|one| one.store.as_str()).collect();
    let resumed = report.resumed.iter().map(String::as_str).collect();
    ([added, changed, paused, resumed], report.unchanged)
}

async fn stores_appear_with_their_keys(desk: Desk) {
    desk.row("main", "www.shop.example", "key-of-main").await;
    desk.theirs("INSERT INTO public.shops VALUES ('second', 'second.example', ' key-of-second ', 'staff', NULL)").await;

    let report = desk.import().await.expect("imported");

    assert_eq!(names(&report), ([vec!["main", "second"], vec![], vec![], vec![]], 0), "{report:?}");
    let second = desk.store("second").await;
    assert_eq!(
        (second.url.as_str(), second.origin, second.connector.as_str()),
        ("https://second.example/", Origin::Import, "neto")
    );
    assert_eq!(
        (desk.key("main").await, desk.key("second").await),
        ("key-of-main".to_owned(), "key-of-second".to_owned())
    );
    let credential = credentials::load_credential(&desk.ours, second.id).await.expect("read").expect("it has one");
    assert_eq!((credential.sealed.username.as_deref(), credential.sealed.scheme.as_str()), (Some("staff"), "api-key"));
    assert!(desk.incident().await.is_none());
}

async fn what_changes_in_a_row_changes_in_its_store_and_nothing_else(desk: Desk) {
    for name in ["a", "b", "c", "d"] {
        desk.row(name, &format!("{name}.example"), &format!("key-of-{name}")).await;
    }
    desk.import().await.expect("imported");
    let before = dump(&desk.ours).await;
    desk.theirs("UPDATE public.shops SET url = 'https://moved.example' WHERE name = 'a'").await;
    desk.theirs("UPDATE public.shops SET secret = 'another-key' WHERE name = 'b'").await;
    desk.theirs("UPDATE public.shops SET username = 'staff' WHERE name = 'c'").await;
    desk.ours.clock.advance(TimeDelta::minutes(5));

    let report = desk.import().await.expect("imported");

    let what: Vec<_> = report.changed.iter().map(|one| (one.store.as_str(), one.what.clone())).collect();
    assert_eq!(what, [("a", vec!["url"]), ("b", vec!["secret"]), ("c", vec!["username"])]);
    assert_eq!(report.unchanged, 1);
    assert_eq!(desk.store("a").await.url.as_str(), "https://moved.example/");
    assert_eq!((desk.key("a").await, desk.key("b").await), ("key-of-a".to_owned(), "another-key".to_owned()));
    let after = dump(&desk.ours).await;
    let differing = |table: &str| after[table].iter().filter(|row| !before[table].contains(row)).count();
    assert_eq!((differing("stores"), differing("credentials")), (1, 2), "only what changed is written");
}

async fn the_same_rows_again_write_nothing(desk: Desk) {
    desk.row("main", "www.shop.example", "key-of-main").await;
    desk.theirs("INSERT INTO public.shops VALUES ('rests', 'https://rests.example', 'key', NULL, TRUE)").await;
    desk.import().await.expect("imported");
    let before = dump(&desk.ours).await;
    desk.ours.clock.advance(TimeDelta::hours(1));

    let report = desk.import().await.expect("imported");

    assert_eq!(names(&report), ([vec![], vec![], vec![], vec![]], 2));
    assert_eq!(dump(&desk.ours).await, before);
}

async fn a_row_that_says_so_or_is_gone_pauses_its_store_until_it_is_back(desk: Desk) {
    for name in ["gone", "says", "stays"] {
        desk.row(name, &format!("{name}.example"), "key").await;
    }
    desk.import().await.expect("imported");
    desk.theirs("DELETE FROM public.shops WHERE name = 'gone'").await;
    desk.theirs("UPDATE public.shops SET paused = TRUE WHERE name = 'says'").await;

    let report = desk.import().await.expect("imported");

    assert_eq!(names(&report), ([vec![], vec![], vec!["says", "gone"], vec![]], 1));
    for (name, reason) in [("gone", "no longer in the import"), ("says", "paused in the import")] {
        let store = desk.store(name).await;
        assert!(store.is_paused(desk.ours.clock().now()), "{name}");
        assert_eq!((store.paused_reason.as_deref(), store.paused_by), (Some(reason), Origin::Import));
    }
    desk.row("gone", "gone.example", "another-key").await;
    desk.theirs("UPDATE public.shops SET paused = NULL WHERE name = 'says'").await;
    let report = desk.import().await.expect("imported");
    assert_eq!(names(&report), ([vec![], vec!["gone"], vec![], vec!["gone", "says"]], 1));
    assert_eq!((desk.store("gone").await.paused_at, desk.store("gone").await.paused_by), (None, Origin::Manual));
    assert_eq!(desk.key("gone").await, "another-key");
}

async fn a_pause_by_a_person_is_never_lifted(desk: Desk) {
    desk.row("main", "www.shop.example", "key").await;
    desk.import().await.expect("imported");
    stores::pause_store(&desk.ours, "main", Some("a strike"), None).await.expect("paused");
    for paused in ["TRUE", "FALSE"] {
        desk.theirs(&format!("UPDATE public.shops SET paused = {paused}")).await;
        let report = desk.import().await.expect("imported");
        assert_eq!(names(&report), ([vec![], vec![], vec![], vec![]], 1));
        let store = desk.store("main").await;
        assert_eq!((store.paused_reason.as_deref(), store.paused_by), (Some("a strike"), Origin::Manual));
    }
    // What the import has paused becomes a person's when a person pauses it too.
    stores::resume_store(&desk.ours, "main").await.expect("resumed");
    desk.theirs("UPDATE public.shops SET paused = TRUE").await;
    desk.import().await.expect("imported");
    stores::pause_store(&desk.ours, "main", None, None).await.expect("paused");
    desk.theirs("UPDATE public.shops SET paused = FALSE").await;
    desk.import().await.expect("imported");
    assert!(desk.store("main").await.paused_at.is_some());
}

async fn a_store_added_by_hand_is_not_taken_over(desk: Desk) {
    desk.row("main", "first.example", "key").await;
    desk.import().await.expect("imported");
    let manual = StoreChanges { origin: Some(Origin::Manual), ..StoreChanges::default() };
    stores::change_store(&desk.ours, "main", &manual).await.expect("handed over");
    desk.theirs("UPDATE public.shops SET url = 'https://second.example', secret = 'another'").await;

    let report = desk.import().await.expect("imported");

    assert!(report.refused[0].to_string().contains("netosync store set main --origin import"), "{report:?}");
    assert_eq!(
        (desk.store("main").await.url.as_str(), desk.key("main").await.as_str()),
        ("https://first.example/", "key")
    );
    let incident = desk.incident().await.expect("it is told");
    assert!(incident.sentence.contains("main (a store of that name was added by hand"), "{incident:?}");
    let handed = StoreChanges { origin: Some(Origin::Import), ..StoreChanges::default() };
    stores::change_store(&desk.ours, "main", &handed).await.expect("handed over");
    let report = desk.import().await.expect("imported");
    assert_eq!(report.changed[0].what, ["url", "secret"]);
    assert!(desk.incident().await.is_none());
    // One that was given back to the commands is not paused when its row goes.
    stores::change_store(&desk.ours, "main", &manual).await.expect("handed over");
    desk.theirs("DELETE FROM public.shops").await;
    assert_eq!(desk.import().await.expect("no imported store is left"), Report::default());
    assert_eq!(desk.store("main").await.paused_at, None);
}

async fn a_revoked_key_counts_as_new_only_when_its_row_has_another(desk: Desk) {
    desk.row("main", "www.shop.example", "key").await;
    desk.import().await.expect("imported");
    let store = desk.store("main").await;
    let credential = credentials::load_credential(&desk.ours, store.id).await.expect("read").expect("it has one");
    let after = Judgement { state: CredentialState::Revoked, refusals: 3, next_check_at: None, then: Then::End };
    let flag = Flag { before: credential.standing(), after, said: "no", status: 401, incident: "revoked" };
    let now = desk.ours.clock().now();
    standings::flag_credential(&desk.ours, store.id, &credential.sealed.fingerprint, &flag, now)
        .await
        .expect("flagged");

    desk.import().await.expect("imported");
    let state = async || credentials::load_credential(&desk.ours, store.id).await.expect("read").expect("one").state;
    assert_eq!(state().await, CredentialState::Revoked);
    desk.theirs("UPDATE public.shops SET secret = 'another-key'").await;
    desk.import().await.expect("imported");
    assert_eq!(state().await, CredentialState::Ok);
}

async fn a_token_that_was_renewed_is_not_brought_back(desk: Desk) {
    desk.row("main", "api.example.com", "first-token").await;
    let query =
        "SELECT name, url, secret, 'bearer' AS scheme, 'client' AS client_id, 'refresh-1' AS refresh_token FROM shops";
    desk.import_by(query).await.expect("imported");
    let again = desk.import_by(&query.replace("refresh-1", "refresh-2")).await.expect("imported");
    assert_eq!(again.changed[0].what, ["refresh_token"], "nobody has used it yet");
    let renewed = PlainCredential {
        client_id: Some("client".to_owned()),
        refresh: Some(Secret::new("refresh-3")),
        renewed_at: Some(desk.ours.clock().now()),
        ..PlainCredential::new(Scheme::Bearer, Secret::new("second-token"))
    };
    desk.vault.put(&desk.ours, desk.store("main").await.id, renewed).await.expect("sealed");

    assert_eq!(desk.import_by(query).await.expect("imported").unchanged, 1);

    assert_eq!(desk.key("main").await, "second-token");
    let another = desk.import_by(&query.replace("'client'", "'another'")).await.expect("imported");
    assert_eq!(another.changed[0].what, ["client_id"], "another client is another credential");
    assert_eq!(desk.key("main").await, "first-token");
}

async fn settings_come_with_their_columns_and_go_with_their_values(desk: Desk) {
    desk.row("main", "www.shop.example", "key").await;
    desk.import().await.expect("imported");
    let own = StoreChanges { schedule_sweep: Change::Set("0 1 * * *".to_owned()), ..StoreChanges::default() };
    stores::change_store(&desk.ours, "main", &own).await.expect("changed");
    let with = "SELECT name, url, secret, 'Australia/Sydney' AS timezone, '5 * * * *' AS schedule_full, 120 AS calls_per_minute FROM shops";

    let report = desk.import_by(with).await.expect("imported");

    assert_eq!(report.changed[0].what, ["timezone", "schedule_full", "calls_per_minute"]);
    let store = desk.store("main").await;
    assert_eq!((store.timezone.as_deref(), store.calls_per_minute), (Some("Australia/Sydney"), Some(120)));
    assert_eq!(store.schedule_sweep.as_deref(), Some("0 1 * * *"), "without a column it stays the operator's");
    let without = with.replace("120", "NULL").replace("'5 * * * *'", "''");
    desk.import_by(&without).await.expect("imported");
    let store = desk.store("main").await;
    assert_eq!((store.schedule_full, store.calls_per_minute), (None, None));
    assert_eq!(desk.import_by(&without).await.expect("imported").unchanged, 1);
}

async fn whatever_a_column_is_made_of_is_read(desk: Desk) {
    let postgres = desk.theirs.engine() == Engine::Postgres;
    if postgres {
        desk.theirs("CREATE TYPE public.kind AS ENUM ('api-key', 'bearer')").await;
    }
    let (kind, bytes) = if postgres { ("public.kind", "bytea") } else { ("text", "blob") };
    let secret = if postgres { "'\\x6b6579'::bytea" } else { "x'6b6579'" };
    desk.theirs(&format!(
        "CREATE TABLE public.odd (name char(10), url varchar(99), secret {bytes}, scheme {kind}, paused integer, calls bigint, on_hold varchar(9))"
    ))
    .await;
    desk.theirs(&format!("INSERT INTO public.odd VALUES ('a', 'a.example', {secret}, 'bearer', 1, 60, 'f')")).await;

    desk.import_by("SELECT name, url, secret, scheme, paused, calls AS calls_per_minute FROM odd")
        .await
        .expect("imported");

    let store = desk.store("a").await;
    assert_eq!((desk.key("a").await.as_str(), store.calls_per_minute), ("key", Some(60)));
    assert!(store.paused_at.is_some());
    let report =
        desk.import_by("SELECT \"name\", url, secret, scheme, on_hold AS paused FROM odd;").await.expect("imported");
    assert_eq!(report.resumed, ["a"]);
}

async fn stores_of_described_connectors_come_with_what_buys_their_tokens(desk: Desk) {
    desk.row("files", "files.example", "client-secret").await;
    desk.row("old", "old.example", "password").await;
    desk.row("profile", "", "token").await;
    desk.theirs("UPDATE public.shops SET url = '' WHERE name = 'profile'").await;
    desk.theirs("UPDATE public.shops SET username = 'user' WHERE name = 'old'").await;
    let query = "SELECT name, url, secret, username, CASE name WHEN 'profile' THEN 'neos' ELSE 'netexplorer' END AS connector, \
                 CASE name WHEN 'files' THEN 'client-credentials' WHEN 'old' THEN 'login' ELSE 'bearer' END AS scheme, \
                 CASE name WHEN 'files' THEN 'client' END AS client_id FROM shops";

    let report = desk.import_by(query).await.expect("imported");

    assert_eq!((report.added.len(), report.refused.len()), (3, 0), "{report:?}");
    let opened =
        async |name: &str| desk.vault.open(&desk.ours, desk.store(name).await.id, name).await.expect("it opens");
    let files = opened("files").await;
    assert!(files.secret.is_empty() && files.client_secret.is_some_and(|secret| secret.expose() == "client-secret"));
    assert!(opened("old").await.refresh.is_some_and(|password| password.expose() == "password"));
    let profile = desk.store("profile").await;
    assert_eq!(
        (profile.connector.as_str(), profile.url.host_str()),
        ("neos", Some("auth.neos.com")),
        "as the connector says"
    );
    assert_eq!(desk.import_by(query).await.expect("imported").unchanged, 3);
    desk.theirs("UPDATE public.shops SET secret = 'another' WHERE name = 'old'").await;
    assert_eq!(desk.import_by(query).await.expect("imported").changed[0].what, ["secret"]);
    let other = desk.import_by(&query.replace("'neos'", "'netexplorer'")).await.expect("imported");
    assert!(other.refused[0].reason.contains("url is empty"), "{other:?}");
    let unknown = desk.import_by(&query.replace("'neos'", "'dropbox'")).await.expect("imported");
    assert!(unknown.refused[0].reason.contains("none of neto, neos, net-api, netexplorer"), "{unknown:?}");
}

#[tokio::test]
async fn two_instances_do_not_import_at_once() {
    let desk = Desk::of(Engine::Postgres, Engine::Sqlite).await;
    desk.row("main", "www.shop.example", "key").await;
    let beside = desk.ours.opened_again().await;
    let turn = Turn::take(&beside).await.expect("the database works").expect("nobody has it");

    assert!(matches!(desk.import().await, Err(ImportError::Busy)));
    assert!(desk.incident().await.is_none(), "that says nothing about the import");
    turn.give_back().await;

    desk.import().await.expect("its turn");
}

#[tokio::test]
async fn a_store_of_the_same_name_that_comes_in_between_is_not_taken_over() {
    let desk = Desk::of(Engine::Sqlite, Engine::Sqlite).await;
    desk.row("main", "www.shop.example", "key").await;
    let by_hand = stores::NewStore {
        name: "main".to_owned(),
        connector: "neto".to_owned(),
        url: "https://by-hand.example".parse().expect("an address"),
        timezone: None,
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: None,
        calls_per_minute: None,
    };
    let store = stores::add_store(&desk.ours, &by_hand).await.expect("added");
    let plain: PlainCredential = key("by-hand");
    desk.vault.put(&desk.ours, store.id, plain).await.expect("sealed");

    let report = desk.import().await.expect("imported");

    assert_eq!((report.added.len(), report.refused.len()), (0, 1));
    assert_eq!(desk.key("main").await, "by-hand");
}
