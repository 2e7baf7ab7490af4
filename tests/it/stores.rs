//! Stores and their credentials, on both engines.

use chrono::{DateTime, Duration, Utc};
use netosync::domain::lifecycle::{Judgement, Then};
use netosync::domain::store::{CredentialState, Scheme, Store};
use netosync::storage::credentials::{NewCredential, list_credentials, load_credential, put_credential};
use netosync::storage::standings::{Flag, credential_worked, flag_credential};
use netosync::storage::store_removal::remove_store;
use netosync::storage::stores::{
    Change, NewStore, StoreChanges, add_store, change_store, find_store, list_stores, load_store, pause_store,
    resume_store,
};
use netosync::storage::{StorageError, incidents, renewal};
use url::Url;

use crate::support::{TestDb, on_both_engines, start_of_time};

on_both_engines!(
    a_new_store_comes_back_as_it_was_added,
    stores_are_listed_by_name,
    a_name_is_taken_once,
    names_and_addresses_that_cannot_work_are_refused,
    an_unknown_store_is_named_in_the_error,
    only_the_settings_that_change_are_changed,
    a_pause_keeps_its_beginning_until_it_ends,
    a_removed_store_is_gone_and_its_number_is_not_given_again,
    a_new_key_takes_the_place_of_the_old_one_unflagged,
    a_key_without_a_store_is_refused,
    only_the_key_that_failed_is_flagged,
    a_key_that_works_again_loses_its_flag_once,
    who_judges_by_what_is_no_longer_known_changes_nothing,
    a_renewed_token_keeps_what_is_known_about_it,
);

fn named(name: &str) -> NewStore {
    NewStore {
        name: name.to_owned(),
        connector: "neto".to_owned(),
        url: Url::parse("https://www.example.com").expect("an address"),
        timezone: Some("Australia/Sydney".to_owned()),
        schedule_full: None,
        schedule_incremental: None,
        schedule_sweep: Some("0 3 * * *".to_owned()),
        calls_per_minute: Some(120),
    }
}

async fn store(db: &TestDb, name: &str) -> Store {
    add_store(db, &named(name)).await.expect("added")
}

async fn a_new_store_comes_back_as_it_was_added(db: TestDb) {
    let added = store(&db, "shop-1.a_b").await;

    let read = find_store(&db, "shop-1.a_b").await.expect("there");

    assert_eq!(format!("{read:?}"), format!("{added:?}"));
    assert_eq!((read.url.as_str(), read.calls_per_minute), ("https://www.example.com/", Some(120)));
    assert_eq!((read.schedule_sweep.as_deref(), read.schedule_full.as_deref()), (Some("0 3 * * *"), None));
    assert_eq!((read.created_at, read.paused_at, read.as_of), (start_of_time(), None, None));
    assert_eq!(load_store(&db, added.id).await.expect("there").name, "shop-1.a_b");
}

async fn stores_are_listed_by_name(db: TestDb) {
    for name in ["b", "c", "a"] {
        store(&db, name).await;
    }

    let names: Vec<_> = list_stores(&db).await.expect("listed").into_iter().map(|store| store.name).collect();

    assert_eq!(names, ["a", "b", "c"]);
}

async fn a_name_is_taken_once(db: TestDb) {
    store(&db, "shop").await;

    let refusal = add_store(&db, &named("shop")).await.expect_err("taken");

    assert!(matches!(&refusal, StorageError::StoreExists { name } if name == "shop"), "{refusal:?}");
    assert_eq!(list_stores(&db).await.expect("listed").len(), 1);
}

async fn names_and_addresses_that_cannot_work_are_refused(db: TestDb) {
    for name in ["", "Shop", "a b", "a/b", "ä", &"x".repeat(65)] {
        let refusal = add_store(&db, &named(name)).await.expect_err(name);
        assert!(matches!(refusal, StorageError::BadStoreName { .. }), "{refusal:?}");
    }
    for url in ["ftp://example.com", "https://u:hunter2@example.com", "https://example.com/?key=hunter2"] {
        let new = NewStore { url: Url::parse(url).expect("an address"), ..named("shop") };
        let refusal = add_store(&db, &new).await.expect_err(url);
        assert!(matches!(refusal, StorageError::BadStoreUrl { .. }), "{refusal:?}");
        assert!(!format!("{refusal} {refusal:?}").contains("hunter2"), "{refusal}");
    }
    assert!(list_stores(&db).await.expect("listed").is_empty());
}

async fn an_unknown_store_is_named_in_the_error(db: TestDb) {
    let changes = StoreChanges::default();
    for refusal in [
        find_store(&db, "ghost").await.expect_err("unknown"),
        change_store(&db, "ghost", &changes).await.expect_err("unknown"),
        pause_store(&db, "ghost", None, None).await.expect_err("unknown"),
        resume_store(&db, "ghost").await.expect_err("unknown"),
        remove_store(&db, "ghost").await.expect_err("unknown"),
    ] {
        assert!(matches!(&refusal, StorageError::UnknownStore { name } if name == "ghost"), "{refusal:?}");
    }
    let refusal = load_store(&db, 4711).await.expect_err("unknown").to_string();
    assert!(refusal.contains("number 4711"), "{refusal}");
}

async fn only_the_settings_that_change_are_changed(db: TestDb) {
    store(&db, "other").await;
    let before = store(&db, "shop").await;
    let changes = StoreChanges {
        url: Some(Url::parse("https://shop.example.com").expect("an address")),
        schedule_full: Change::Set("0 1 * * 0".to_owned()),
        schedule_sweep: Change::Clear,
        ..StoreChanges::default()
    };

    let after = change_store(&db, "shop", &changes).await.expect("changed");

    assert_eq!((after.id, after.created_at), (before.id, before.created_at));
    assert_eq!((after.timezone, after.calls_per_minute), (before.timezone, before.calls_per_minute));
    assert_eq!(after.url.as_str(), "https://shop.example.com/");
    assert_eq!((after.schedule_full.as_deref(), after.schedule_sweep), (Some("0 1 * * 0"), None));
    let other = find_store(&db, "other").await.expect("there");
    assert_eq!(other.url.as_str(), "https://www.example.com/");
}

async fn a_pause_keeps_its_beginning_until_it_ends(db: TestDb) {
    store(&db, "shop").await;
    let until = start_of_time() + Duration::hours(2);
    pause_store(&db, "shop", Some("moving house"), None).await.expect("paused");
    db.clock.advance(Duration::hours(1));

    let paused = pause_store(&db, "shop", Some("still moving"), Some(until)).await.expect("paused again");

    assert_eq!((paused.paused_at, paused.paused_until), (Some(start_of_time()), Some(until)));
    assert_eq!(paused.paused_reason.as_deref(), Some("still moving"));
    let resumed = resume_store(&db, "shop").await.expect("resumed");
    assert_eq!((resumed.paused_at, resumed.paused_until, resumed.paused_reason), (None, None, None));
}

async fn a_removed_store_is_gone_and_its_number_is_not_given_again(db: TestDb) {
    let removed = store(&db, "shop").await;
    put_credential(&db, removed.id, key("one")).await.expect("stored");

    remove_store(&db, "shop").await.expect("removed");

    assert!(list_stores(&db).await.expect("listed").is_empty());
    assert!(load_credential(&db, removed.id).await.expect("read").is_none());
    assert!(store(&db, "shop").await.id > removed.id);
}

/// A sealed key; `which` is its fingerprint.
fn key(which: &str) -> NewCredential {
    NewCredential {
        scheme: Scheme::ApiKey,
        username: Some("staff".to_owned()),
        client_id: None,
        secret: which.as_bytes().to_vec(),
        refresh_secret: None,
        client_secret: None,
        token_url: None,
        scopes: None,
        renewed_at: None,
        key_id: "k1".to_owned(),
        fingerprint: which.to_owned(),
        expires_at: None,
    }
}

/// Flags the key with that fingerprint, as a run does.
async fn flag(db: &TestDb, id: i64, fingerprint: &str, state: CredentialState, said: &str, now: DateTime<Utc>) -> bool {
    let before = load_credential(db, id).await.expect("read").expect("there").standing();
    let refusals = before.refusals + 1;
    let after = Judgement { state, refusals, next_check_at: Some(now + Duration::hours(6)), then: Then::End };
    let flag = Flag { before, after, said, status: 401, incident: "a key is refused" };
    flag_credential(db, id, fingerprint, &flag, now).await.expect("done")
}

async fn a_new_key_takes_the_place_of_the_old_one_unflagged(db: TestDb) {
    let id = store(&db, "shop").await.id;
    put_credential(&db, id, key("old")).await.expect("stored");
    assert!(flag(&db, id, "old", CredentialState::Revoked, "no", start_of_time()).await);
    assert_eq!(incidents::open(&db, None).await.expect("listed").len(), 1);
    db.clock.advance(Duration::minutes(5));

    put_credential(&db, id, key("new")).await.expect("stored");

    let read = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!((read.sealed.secret.as_slice(), read.sealed.fingerprint.as_str()), (b"new".as_slice(), "new"));
    assert_eq!((read.state, read.last_error, read.last_checked_at), (CredentialState::Ok, None, None));
    let now = start_of_time() + Duration::minutes(5);
    assert_eq!((read.state_since, read.refusals, read.last_status), (now, 0, None));
    assert_eq!(read.next_check_at, Some(now), "the store is due at once");
    assert_eq!(incidents::open(&db, None).await.expect("listed"), []);
    put_credential(&db, id, key("newer")).await.expect("stored");
    let read = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!(read.next_check_at, None, "the one before was not flagged");
    assert_eq!(list_credentials(&db).await.expect("listed").len(), 1);
}

async fn a_key_without_a_store_is_refused(db: TestDb) {
    let refusal = put_credential(&db, 4711, key("any")).await.expect_err("no such store");

    assert!(matches!(refusal, StorageError::UnknownStore { .. }), "{refusal:?}");
}

async fn only_the_key_that_failed_is_flagged(db: TestDb) {
    let (id, other) = (store(&db, "shop").await.id, store(&db, "other").await.id);
    put_credential(&db, id, key("new")).await.expect("stored");
    put_credential(&db, other, key("new")).await.expect("stored");
    let (now, later) = (start_of_time() + Duration::minutes(1), start_of_time() + Duration::minutes(2));

    assert!(!flag(&db, id, "old", CredentialState::Revoked, "no", now).await, "the key that failed was replaced");
    let untouched = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!((untouched.state, untouched.last_checked_at), (CredentialState::Ok, None));

    for (state, at) in
        [(CredentialState::Suspect, now), (CredentialState::Revoked, now), (CredentialState::Revoked, later)]
    {
        assert!(flag(&db, id, "new", state, "HTTP 401", at).await);
    }
    let flagged = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!((flagged.state, flagged.last_error.as_deref()), (CredentialState::Revoked, Some("HTTP 401")));
    assert_eq!((flagged.state_since, flagged.last_checked_at), (now, Some(later)), "since = when it became revoked");
    assert_eq!((flagged.refusals, flagged.last_status, flagged.last_failed_at), (3, Some(401), Some(later)));
    assert_eq!(incidents::open(&db, None).await.expect("listed").len(), 1, "one incident, however often it is refused");
    let other = load_credential(&db, other).await.expect("read").expect("there");
    assert_eq!(other.state, CredentialState::Ok);
}

async fn a_key_that_works_again_loses_its_flag_once(db: TestDb) {
    let id = store(&db, "shop").await.id;
    put_credential(&db, id, key("one")).await.expect("stored");
    let now = start_of_time() + Duration::minutes(1);
    assert!(!credential_worked(&db, id, "one", None, now).await.expect("done"), "it was not flagged");
    assert!(flag(&db, id, "one", CredentialState::Revoked, "no", now).await);
    let later = now + Duration::hours(1);

    assert!(
        !credential_worked(&db, id, "another", None, later).await.expect("done"),
        "another key's success is not its own"
    );
    assert!(credential_worked(&db, id, "one", None, later).await.expect("done"));
    assert!(!credential_worked(&db, id, "one", None, later + Duration::hours(1)).await.expect("done"));

    let read = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!((read.state, read.state_since, read.last_error), (CredentialState::Ok, later, None));
    assert_eq!(read.last_ok_at, Some(later + Duration::hours(1)));
    assert_eq!((read.refusals, read.next_check_at, read.last_status), (0, None, None));
    assert_eq!(incidents::open(&db, None).await.expect("listed"), []);
}

async fn who_judges_by_what_is_no_longer_known_changes_nothing(db: TestDb) {
    let id = store(&db, "shop").await.id;
    put_credential(&db, id, key("one")).await.expect("stored");
    let now = start_of_time() + Duration::minutes(1);
    let before = load_credential(&db, id).await.expect("read").expect("there").standing();
    assert!(flag(&db, id, "one", CredentialState::Suspect, "no", now).await);

    let after = Judgement { state: CredentialState::Revoked, refusals: 4, next_check_at: None, then: Then::End };
    let late = Flag { before, after, said: "no", status: 401, incident: "a key is refused" };

    assert!(!flag_credential(&db, id, "one", &late, now).await.expect("done"), "somebody else has judged it since");
    let read = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!((read.state, read.refusals), (CredentialState::Suspect, 1));
    assert_eq!(incidents::open(&db, None).await.expect("listed"), []);
}

async fn a_renewed_token_keeps_what_is_known_about_it(db: TestDb) {
    let id = store(&db, "shop").await.id;
    put_credential(&db, id, key("one")).await.expect("stored");
    assert!(flag(&db, id, "one", CredentialState::Suspect, "expired", start_of_time()).await);
    let expires_at = Some(start_of_time() + Duration::hours(1));
    let renewed = NewCredential { expires_at, ..key("two") };

    let (now, until) = (start_of_time(), start_of_time() + Duration::minutes(1));
    let one = renewal::Claim { store_id: id, fingerprint: "one".to_owned(), by: "first".to_owned() };
    let other = renewal::Claim { by: "second".to_owned(), ..one.clone() };
    let store = async |claim: &renewal::Claim, new: &NewCredential| {
        renewal::store(&db, claim, || Ok::<_, StorageError>(new.clone())).await.expect("done")
    };
    assert!(renewal::claim(&db, &one, until, now).await.expect("done"));
    assert!(!renewal::claim(&db, &other, until, now).await.expect("done"), "the right is taken");
    assert!(renewal::claim(&db, &other, until, until).await.expect("done"), "the right has run out");
    assert!(!store(&one, &renewed).await, "whose right ran out stores nothing");

    assert!(store(&other, &renewed).await);
    assert!(!renewal::claim(&db, &one, until, until).await.expect("done"), "one is not stored any more");
    let two = renewal::Claim { fingerprint: "two".to_owned(), ..one.clone() };
    assert!(renewal::claim(&db, &two, until, now).await.expect("done"), "the right was given back");

    let read = load_credential(&db, id).await.expect("read").expect("there");
    assert_eq!((read.sealed.secret.as_slice(), read.sealed.expires_at), (b"two".as_slice(), expires_at));
    assert_eq!((read.state, read.last_error.as_deref()), (CredentialState::Suspect, Some("expired")));
    assert!(!format!("{renewed:?} {read:?}").contains("secret"), "not even sealed bytes are printed");
}
