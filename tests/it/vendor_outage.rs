//! Keys in the middle of whatever happens to a vendor: nobody is flagged for an outage, and everybody who is to be flagged is.

use chrono::TimeDelta;
use netosync::domain::incident::IncidentKind;
use netosync::domain::run::RunState;
use netosync::domain::store::CredentialState::{Ok, Revoked, Suspect};

use crate::support::fleet::Fleet;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    an_outage_that_refuses_every_key_flags_nobody_but_the_three_that_are_revoked,
    an_outage_that_answers_503_flags_nobody_but_the_three_that_are_revoked,
    a_mixed_outage_flags_nobody_but_the_three_that_are_revoked,
    an_outage_right_after_everything_was_well_flags_nobody,
    an_outage_met_by_one_store_after_the_other_flags_nobody,
    an_outage_that_begins_while_a_key_is_asked_again_flags_nobody_in_it,
    an_outage_in_the_middle_of_the_first_sync_flags_nobody_and_all_are_synced,
    a_daemon_that_sleeps_through_the_end_of_an_outage_flags_nobody,
    one_revoked_key_among_stores_that_work_is_flagged_after_a_minute,
    one_revoked_key_among_stores_that_rest_is_flagged_within_ten_minutes,
    four_stores_are_too_few_for_an_outage,
);

const QUARTERS: &str = "*/15 * * * *";
const REVOKED: [usize; 3] = [2, 11, 37];

fn others(count: usize) -> impl Iterator<Item = usize> {
    (0..count).filter(|number| !REVOKED.contains(number))
}

/// Ten minutes in which every one of 40 stores fails like `fault` says; three keys are revoked in the middle of it.
async fn outage(fleet: &mut Fleet, fault: fn(usize) -> &'static str) {
    fleet.edit_all();
    for number in 0..fleet.stores.len() {
        fleet.script(number, &[fault(number)]);
    }
    fleet.pass(TimeDelta::minutes(5)).await;
    for number in REVOKED {
        fleet.script(number, &["revoke"]);
    }
    fleet.pass(TimeDelta::minutes(5)).await;
    for number in others(fleet.stores.len()) {
        fleet.script(number, &[]);
    }
}

async fn assert_flags_three(db: TestDb, fault: fn(usize) -> &'static str) {
    let mut fleet = Fleet::mirrored(db, 40, QUARTERS).await;
    // The stores are called as soon as the daemon looks.
    fleet.sleep(TimeDelta::hours(1));
    outage(&mut fleet, fault).await;
    assert_eq!(fleet.most_revoked, 0, "nobody is flagged while it lasts");
    assert_eq!(fleet.open_incidents().await.len(), 1, "one notice");

    fleet.pass(TimeDelta::minutes(15)).await;

    assert_eq!(fleet.in_state(Revoked).await, REVOKED);
    assert_eq!(fleet.in_state(Suspect).await, [0; 0]);
    assert_eq!(fleet.most_revoked, 3);
    fleet.assert_mirrored(others(40)).await;
    let outages = fleet.incidents(IncidentKind::VendorOutage).await;
    assert!(matches!(&outages[..], [[None, Some(_)]]), "one, and it is over: {outages:?}");
    let flags = fleet.incidents(IncidentKind::KeyRevoked).await;
    let expected = REVOKED.map(|number| [Some(fleet.stores[number].id.to_string()), None]);
    assert!(flags.len() == 3 && expected.iter().all(|flag| flags.contains(flag)), "{flags:?}");
    assert_eq!(fleet.incidents(IncidentKind::StoreFailing).await.len(), 0);
    for run in fleet.runs().await {
        assert_ne!(run.state, RunState::Failed, "{run:?}");
    }
}

async fn an_outage_that_refuses_every_key_flags_nobody_but_the_three_that_are_revoked(db: TestDb) {
    assert_flags_three(db, |_| "401").await;
}

async fn an_outage_that_answers_503_flags_nobody_but_the_three_that_are_revoked(db: TestDb) {
    assert_flags_three(db, |_| "503").await;
}

async fn a_mixed_outage_flags_nobody_but_the_three_that_are_revoked(db: TestDb) {
    assert_flags_three(db, |number| ["401", "503", "ack-error:message=Invalid API Key", "cut"][number % 4]).await;
}

async fn an_outage_right_after_everything_was_well_flags_nobody(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 20, "* * * * *").await;
    // In the same instant in which all have answered.
    for number in 0..20 {
        fleet.script(number, &["401"]);
    }
    fleet.pass(TimeDelta::minutes(10)).await;
    assert!(!fleet.open_incidents().await.is_empty());
    for number in 0..20 {
        fleet.script(number, &[]);
    }
    fleet.pass(TimeDelta::minutes(6)).await;

    assert_eq!((fleet.most_revoked, fleet.in_state(Ok).await.len()), (0, 20));
    assert_eq!(fleet.open_incidents().await, []);
}

async fn an_outage_met_by_one_store_after_the_other_flags_nobody(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 30, "").await;
    fleet.sleep(TimeDelta::hours(3));
    for number in 0..30 {
        fleet.script(number, &["401"]);
    }
    // One more every 100 seconds: when the first has been refused four times, no other has been called.
    for number in 0..6 {
        fleet.world.enqueue(&fleet.stores[number].clone()).await;
        fleet.pass(TimeDelta::seconds(100)).await;
    }
    assert_eq!(fleet.incidents(IncidentKind::VendorOutage).await.len(), 1);
    for number in 0..30 {
        fleet.script(number, &[]);
    }
    fleet.pass(TimeDelta::minutes(6)).await;

    assert_eq!((fleet.most_revoked, fleet.in_state(Ok).await.len()), (0, 30));
    assert_eq!(fleet.open_incidents().await, []);
    assert!(fleet.runs().await.iter().all(|run| run.state == RunState::Succeeded));
}

async fn an_outage_that_begins_while_a_key_is_asked_again_flags_nobody_in_it(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 40, QUARTERS).await;
    // It is 08:01; at 08:15 all are due.
    fleet.sleep(TimeDelta::seconds(13 * 60 + 20));
    // Two keys are refused once, and one for good, right before all are.
    fleet.script(0, &["401@1"]);
    fleet.script(1, &["401@1"]);
    fleet.script(2, &["revoke"]);
    for number in 0..3 {
        fleet.world.enqueue(&fleet.stores[number].clone()).await;
    }
    fleet.pass(TimeDelta::seconds(39)).await;
    assert_eq!(fleet.credential(2).await.refusals, 3, "the last canary is to come");
    outage(&mut fleet, |_| "401").await;

    fleet.pass(TimeDelta::minutes(20)).await;

    assert_eq!(fleet.in_state(Revoked).await, REVOKED);
    assert_eq!(fleet.in_state(Suspect).await, [0; 0]);
    fleet.assert_mirrored(others(40)).await;
    assert_eq!(fleet.incidents(IncidentKind::VendorOutage).await.len(), 1);
}

async fn an_outage_in_the_middle_of_the_first_sync_flags_nobody_and_all_are_synced(db: TestDb) {
    let mut fleet = Fleet::new(db, 12, "0 3 * * 0", &[]).await;
    for number in 0..12 {
        fleet.script(number, &["401"]);
    }
    fleet.pass(TimeDelta::minutes(10)).await;
    for number in 0..12 {
        fleet.script(number, &[]);
    }
    fleet.pass(TimeDelta::minutes(6)).await;

    assert_eq!((fleet.most_revoked, fleet.in_state(Ok).await.len()), (0, 12));
    fleet.assert_mirrored(0..12).await;
    assert_eq!(fleet.open_incidents().await, []);
}

async fn a_daemon_that_sleeps_through_the_end_of_an_outage_flags_nobody(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 20, QUARTERS).await;
    fleet.sleep(TimeDelta::minutes(15));
    for number in 0..20 {
        fleet.script(number, &["401"]);
    }
    fleet.pass(TimeDelta::minutes(2)).await;
    fleet.sleep(TimeDelta::hours(5));
    // It still lasts when the daemon is back, and then ends.
    fleet.pass(TimeDelta::minutes(2)).await;
    for number in 0..20 {
        fleet.script(number, &[]);
    }
    fleet.pass(TimeDelta::minutes(6)).await;

    assert_eq!((fleet.most_revoked, fleet.in_state(Ok).await.len()), (0, 20));
    assert_eq!(fleet.incidents(IncidentKind::VendorOutage).await.len(), 1);
    assert_eq!(fleet.open_incidents().await, []);
}

async fn one_revoked_key_among_stores_that_work_is_flagged_after_a_minute(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 10, QUARTERS).await;
    fleet.sleep(TimeDelta::minutes(15));
    fleet.script(4, &["revoke"]);
    fleet.pass(TimeDelta::seconds(50)).await;
    assert_eq!(fleet.in_state(Suspect).await, [4]);

    fleet.pass(TimeDelta::seconds(20)).await;

    assert_eq!(fleet.in_state(Revoked).await, [4]);
    let [incident] = &fleet.open_incidents().await[..] else { panic!("one incident") };
    assert_eq!((incident.kind, incident.store.as_deref()), (IncidentKind::KeyRevoked, Some("store-04")));
    assert!(incident.sentence.contains("netosync store rekey store-04"), "{}", incident.sentence);
    assert!(incident.told_opened_at.is_some());
}

async fn one_revoked_key_among_stores_that_rest_is_flagged_within_ten_minutes(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 10, "").await;
    fleet.sleep(TimeDelta::hours(3));
    fleet.script(4, &["revoke"]);
    fleet.world.enqueue(&fleet.stores[4].clone()).await;
    fleet.pass(TimeDelta::seconds(70)).await;
    assert_eq!(fleet.in_state(Suspect).await, [4], "it may be the vendor");

    fleet.pass(TimeDelta::seconds(540)).await;

    assert_eq!(fleet.in_state(Revoked).await, [4]);
    assert_eq!(fleet.incidents(IncidentKind::VendorOutage).await.len(), 0);
}

async fn four_stores_are_too_few_for_an_outage(db: TestDb) {
    let mut fleet = Fleet::mirrored(db, 4, QUARTERS).await;
    fleet.sleep(TimeDelta::minutes(15));
    for number in 0..4 {
        fleet.script(number, &["401"]);
    }
    fleet.pass(TimeDelta::minutes(2)).await;
    assert_eq!(fleet.in_state(Revoked).await, [0, 1, 2, 3]);
    for number in 0..4 {
        fleet.script(number, &[]);
    }

    fleet.pass(TimeDelta::hours(7)).await;

    assert_eq!(fleet.in_state(Ok).await, [0, 1, 2, 3], "they come back by themselves");
    assert_eq!(fleet.open_incidents().await, []);
}
