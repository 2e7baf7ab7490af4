//! What a dead key costs, how a store comes back, and what is told about it.

use chrono::TimeDelta;
use netosync::domain::incident::IncidentKind;
use netosync::domain::run::{RunState, Verdict};
use netosync::domain::store::CredentialState;
use netosync::storage::incidents;

use crate::support::fleet::Fleet;
use crate::support::hook::Hook;
use crate::support::world::key;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_dead_key_costs_at_most_four_calls_a_day_and_its_store_comes_back_by_itself,
    a_key_that_never_works_is_given_up_and_costs_as_little,
    a_test_of_a_dead_key_that_meets_another_trouble_costs_one_call_and_is_made_later,
    a_new_key_brings_the_store_back_at_once,
    notices_go_out_once_a_day_and_at_the_end_and_come_again_when_they_did_not_arrive,
    two_instances_send_one_notice,
    a_store_whose_runs_fail_is_told_about_once_until_one_succeeds,
);

const QUARTERS: &str = "*/15 * * * *";

/// Calls in the worst rolling day since call number `from` (counted from 0).
fn most_calls_a_day(fleet: &Fleet, number: usize, from: u64) -> usize {
    let calls = fleet.shops[number].calls();
    let times: Vec<_> = calls[usize::try_from(from).expect("few calls")..].iter().map(|call| call.at).collect();
    let within = |first: &chrono::DateTime<chrono::Utc>| {
        times.iter().filter(|call| *first <= **call && **call - *first < TimeDelta::days(1)).count()
    };
    times.iter().map(within).max().unwrap_or_default()
}

async fn a_dead_key_costs_at_most_four_calls_a_day_and_its_store_comes_back_by_itself(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 1, QUARTERS).await;
    fleet.script(0, &["revoke"]);
    fleet.pass(TimeDelta::minutes(17)).await;
    let flagged = fleet.credential(0).await;
    assert_eq!((flagged.state, flagged.refusals, flagged.last_status), (CredentialState::Revoked, 4, Some(200)));
    assert_eq!(flagged.next_check_at, Some(flagged.state_since + TimeDelta::hours(6)));
    let calls = fleet.calls(0);

    fleet.pass(TimeDelta::days(4)).await;

    let times: Vec<_> = fleet.shops[0].calls()[usize::try_from(calls).expect("few calls")..]
        .iter()
        .map(|call| (call.at - flagged.state_since).num_hours())
        .collect();
    assert_eq!(times, [6, 18, 42, 66, 90]);
    assert!(most_calls_a_day(&fleet, 0, calls) <= 4);
    assert_eq!(fleet.incidents(IncidentKind::KeyRevoked).await.len(), 1);
    fleet.edit_all();
    fleet.script(0, &[]);

    fleet.pass(TimeDelta::days(1)).await;

    assert_eq!(fleet.credential(0).await.state, CredentialState::Ok);
    fleet.assert_mirrored([0]).await;
    assert_eq!(fleet.open_incidents().await, []);
}

async fn a_key_that_never_works_is_given_up_and_costs_as_little(db: TestDb) {
    let mut fleet = Fleet::new(db, 1, QUARTERS, &[]).await;
    fleet.script(0, &["revoke"]);
    fleet.pass(TimeDelta::hours(1)).await;
    assert_eq!((fleet.calls(0), fleet.credential(0).await.state), (1, CredentialState::Suspect));
    assert_eq!(fleet.open_incidents().await, [], "a single refusal flags nobody");

    fleet.pass(TimeDelta::days(3)).await;

    assert_eq!(fleet.credential(0).await.state, CredentialState::Revoked);
    assert_eq!(fleet.open_incidents().await.len(), 1);
    assert!(most_calls_a_day(&fleet, 0, 0) <= 4);
    fleet.script(0, &[]);
    fleet.pass(TimeDelta::days(1)).await;
    fleet.assert_mirrored([0]).await;
}

async fn a_test_of_a_dead_key_that_meets_another_trouble_costs_one_call_and_is_made_later(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 1, QUARTERS).await;
    fleet.script(0, &["revoke"]);
    fleet.pass(TimeDelta::minutes(17)).await;
    for fault in ["503", "429", "cut", "html", "404"] {
        fleet.script(0, &[fault]);
        let (before, calls) = (fleet.credential(0).await, fleet.calls(0));
        let due = before.next_check_at.expect("a time");

        fleet.pass(due - fleet.now() + TimeDelta::minutes(6)).await;

        let after = fleet.credential(0).await;
        assert_eq!(
            (after.state, after.refusals, fleet.calls(0) - calls),
            (before.state, before.refusals, 1),
            "{fault}"
        );
        assert!(after.next_check_at >= Some(due + TimeDelta::hours(6)), "{fault}");
        let newest = &fleet.runs().await[0];
        assert_eq!(newest.state, RunState::Cancelled, "{fault}: {newest:?}");
    }
    assert_eq!(fleet.incidents(IncidentKind::StoreFailing).await.len(), 0);
}

async fn a_new_key_brings_the_store_back_at_once(db: TestDb) {
    // It would be synced next Sunday.
    let mut fleet = Fleet::mirrored(db, 1, "0 3 * * 0").await;
    fleet.script(0, &["revoke"]);
    fleet.world.enqueue(&fleet.stores[0].clone()).await;
    fleet.pass(TimeDelta::minutes(2)).await;
    assert_eq!(fleet.credential(0).await.state, CredentialState::Revoked);
    fleet.edit_all();
    fleet.script(0, &[]);
    let (vault, db) = (&fleet.world.syncer.vault, &fleet.world.db);
    vault.put(db, fleet.stores[0].id, key(fleet.shops[0].key())).await.expect("stored");
    assert_eq!(fleet.open_incidents().await, []);

    fleet.pass(TimeDelta::minutes(1)).await;

    fleet.assert_mirrored([0]).await;
    let runs = fleet.runs().await.len();
    fleet.pass(TimeDelta::hours(1)).await;
    assert_eq!(fleet.runs().await.len(), runs, "once");
}

async fn notices_go_out_once_a_day_and_at_the_end_and_come_again_when_they_did_not_arrive(db: TestDb) {
    let hook = Hook::start().await;
    let mut fleet = Fleet::new(db, 1, QUARTERS, &[("NETOSYNC__NOTIFY__WEBHOOK_URL", &hook.url)]).await;
    fleet.pass(TimeDelta::minutes(1)).await;
    hook.answer(500);
    fleet.script(0, &["revoke"]);
    fleet.pass(TimeDelta::minutes(20)).await;
    let opened = ("opened".to_owned(), "key_revoked".to_owned());
    let tries = hook.came();
    assert!(tries.len() > 1 && tries.len() < 6 && tries.iter().all(|came| *came == opened), "{tries:?}");
    hook.answer(204);
    fleet.pass(TimeDelta::hours(1)).await;
    let body = &hook.bodies()[..];
    let [body] = body else { panic!("{body:?}") };
    assert_eq!(body["event"], "opened");
    assert_eq!(
        (&body["incident"]["store"], &body["incident"]["closed_at"]),
        (&"store-00".into(), &serde_json::Value::Null)
    );
    assert!(body["text"].as_str().is_some_and(|text| text.contains("netosync store rekey store-00")), "{body}");

    fleet.pass(TimeDelta::days(2)).await;
    let lasts = ("still_open".to_owned(), "key_revoked".to_owned());
    assert_eq!(hook.came(), [lasts.clone(), lasts]);
    fleet.script(0, &[]);
    fleet.pass(TimeDelta::days(1)).await;

    let over = ("closed".to_owned(), "key_revoked".to_owned());
    assert_eq!(hook.came().last(), Some(&over));
    fleet.pass(TimeDelta::days(2)).await;
    assert_eq!(hook.came(), []);
}

async fn two_instances_send_one_notice(db: TestDb) {
    let hook = Hook::start().await;
    let fleet = Fleet::new(db, 1, QUARTERS, &[("NETOSYNC__NOTIFY__WEBHOOK_URL", &hook.url)]).await;
    let store = fleet.stores[0].id;
    let other = netosync::notify::Notifier::new(
        fleet.world.db.opened_again().await,
        fleet.world.syncer.config.clone().into(),
        fleet.world.syncer.clock.clone(),
    );
    let other = other.expect("an HTTP client");
    for kind in [IncidentKind::KeyRevoked, IncidentKind::StoreFailing] {
        let subject = incidents::Subject::Store(store);
        let db = &*fleet.world.db;
        let (one, two) = tokio::join!(
            incidents::begin(db, kind, subject, "broken", fleet.now()),
            incidents::begin(db, kind, subject, "broken", fleet.now()),
        );
        assert_eq!(u8::from(one.expect("done")) + u8::from(two.expect("done")), 1, "one row");
    }

    let (one, two) = tokio::join!(fleet.notifier.tick(), other.tick());

    one.and(two).expect("the database works");
    assert_eq!(hook.came().len(), 2);
}

async fn a_store_whose_runs_fail_is_told_about_once_until_one_succeeds(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 2, QUARTERS).await;
    fleet.script(1, &["503"]);
    fleet.pass(TimeDelta::hours(2)).await;
    let [incident] = &fleet.open_incidents().await[..] else { panic!("one incident") };
    assert_eq!((incident.kind, incident.store.as_deref()), (IncidentKind::StoreFailing, Some("store-01")));
    assert!(fleet.runs().await.iter().filter(|run| run.state == RunState::Failed).count() > 1);
    fleet.script(1, &[]);

    fleet.pass(TimeDelta::minutes(16)).await;

    assert_eq!(fleet.open_incidents().await, []);
    assert_eq!(fleet.incidents(IncidentKind::StoreFailing).await.len(), 1);
    assert_eq!(fleet.runs().await[0].verdict, Some(Verdict::Complete));
}
