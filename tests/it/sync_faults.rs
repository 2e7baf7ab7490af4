//! Whatever the shop answers: the run says what happened, nothing is lost, and the next run recovers.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use netosync::cli::Exit;
use netosync::domain::error::ErrorClass;
use netosync::domain::run::{Counts, Run, RunState, Verdict};
use netosync::domain::store::CredentialState;
use netosync::simulator::{Fault, SimulatedStore, SimulatorConfig};
use netosync::storage::credentials::{SealedCredential, load_credential};
use netosync::sync::{Patience, Syncer};
use netosync::transport::{Settings, Transport};

use crate::support::world::World;
use crate::support::{TestDb, on_both_engines, watch};

on_both_engines!(
    a_fault_that_lasts_has_its_class_and_loses_nothing,
    a_fault_that_strikes_one_call_in_the_middle_leaves_no_trace,
    a_list_that_ends_too_early_is_not_called_complete,
    a_key_revoked_in_the_middle_cancels_the_run_with_evidence,
    a_key_revoked_during_the_first_run_is_revoked_too,
    a_key_that_never_worked_fails_at_once_and_costs_one_call,
    after_429_the_run_rests_uncounted_and_goes_on_where_it_was,
    an_outage_is_tried_again_later_until_the_attempts_are_used_up,
);

const PRODUCTS: usize = 20;
/// Five pages of four, of which the last is full: then an empty one.
const PAGES: i64 = 5;
const SMALL: &[(&str, &str)] = &[("NETOSYNC__FETCH__PAGE_SIZE", "4"), ("NETOSYNC__FETCH__MAX_BODY_BYTES", "300000")];

async fn shop(db: TestDb) -> World {
    let shop = SimulatorConfig { products: PRODUCTS, quirks: true, ..SimulatorConfig::default() };
    World::with(db, shop, SMALL).await
}

/// A shop that has been mirrored already.
async fn mirrored_shop(db: TestDb) -> World {
    let world = shop(db).await;
    assert_complete(&world.sync().await);
    assert_eq!(world.errors().await, Vec::<String>::new());
    world
}

/// A worker somebody waits for, who waits for nobody: a tenth of a second is a long silence.
fn impatient(world: &World) -> Syncer {
    let mut settings = Settings::from(&*world.syncer.config);
    settings.read_timeout = Duration::from_millis(100);
    settings.retry.attempts = 2;
    let transport = Transport::new(settings, world.db.clock.clone()).expect("an HTTP client");
    Syncer { transport: Arc::new(transport), ..foreground(world) }
}

/// A worker somebody waits for.
fn foreground(world: &World) -> Syncer {
    Syncer { patience: Patience::Foreground, ..world.syncer.clone() }
}

fn script(shop: &SimulatedStore, faults: &[&str]) {
    shop.set_faults(faults.iter().map(|fault| fault.parse::<Fault>().expect("a fault")).collect());
}

fn assert_complete(run: &Run) {
    assert_eq!(
        (run.state, run.verdict, run.error.as_deref()),
        (RunState::Succeeded, Some(Verdict::Complete), None),
        "{run:?}"
    );
}

async fn credential(world: &World) -> SealedCredential {
    load_credential(&world.db, world.store.id).await.expect("the database works").expect("a credential")
}

async fn a_fault_that_lasts_has_its_class_and_loses_nothing(db: TestDb) {
    use ErrorClass::{Config, Data, RateLimited, Rejected, Transient, Unauthorized};
    use RunState::{Cancelled, Failed, Queued, Succeeded};
    let world = mirrored_shop(db).await;
    let before = world.mirror().await;
    watch::begin(&world.db).await;
    for (fault, state, class, exit) in [
        ("401", Cancelled, Some(Unauthorized), Exit::CredentialRefused),
        ("403", Cancelled, Some(Unauthorized), Exit::CredentialRefused),
        ("revoke@3", Cancelled, Some(Unauthorized), Exit::CredentialRefused),
        ("ack-error:message=Invalid API Key", Cancelled, Some(Unauthorized), Exit::CredentialRefused),
        ("ack-error", Failed, Some(Rejected), Exit::Failed),
        ("400", Failed, Some(Rejected), Exit::Failed),
        ("404", Failed, Some(Config), Exit::Configuration),
        ("redirect:https://elsewhere.example/", Failed, Some(Config), Exit::Configuration),
        ("html", Failed, Some(Transient), Exit::Unavailable),
        ("xml", Failed, Some(Transient), Exit::Unavailable),
        ("garbage", Failed, Some(Transient), Exit::Unavailable),
        ("cut", Failed, Some(Transient), Exit::Unavailable),
        ("500", Failed, Some(Transient), Exit::Unavailable),
        ("503@2+", Failed, Some(Transient), Exit::Unavailable),
        ("slow:ms=3600000@2+", Failed, Some(Transient), Exit::Unavailable),
        ("huge:bytes=400000", Failed, Some(Data), Exit::Failed),
        ("429", Queued, Some(RateLimited), Exit::Unavailable),
        ("429:retry-after=90@2+", Queued, Some(RateLimited), Exit::Unavailable),
        ("empty", Succeeded, None, Exit::Partial),
    ] {
        script(&world.shop, &[fault]);
        let worker = if fault.starts_with("slow") { impatient(&world) } else { foreground(&world) };

        let run = world.sync_store(&worker, &world.store).await;

        assert_eq!((run.state, run.error_class, Exit::of_run(&run)), (state, class, exit), "{fault}: {run:?}");
        assert!(run.error.is_some(), "{fault}");
        assert!(world.mirror().await == before, "{fault}");
        script(&world.shop, &[]);
        world.db.clock.advance(TimeDelta::hours(1));
        assert_complete(&world.sync().await);
        assert_eq!(credential(&world).await.state, CredentialState::Ok, "{fault}");
    }
    assert_eq!(watch::written(&world.db).await, Vec::<String>::new());
}

async fn a_fault_that_strikes_one_call_in_the_middle_leaves_no_trace(db: TestDb) {
    let world = mirrored_shop(db).await;
    for fault in [
        "401@3",
        "403@3",
        "revoke@3x1",
        "ack-error:message=Invalid API Key@3",
        "ack-error@3",
        "html@3",
        "xml@3",
        "garbage@3",
        "cut@3",
        "500@3",
        "503@3x2",
        "empty@3",
        "empty@1",
        "repeat@3",
        "repeat@1",
    ] {
        world.db.clock.advance(TimeDelta::hours(1));
        let now = world.syncer.clock.now();
        let edited = world.shop.with_catalogue(|catalogue| catalogue.edit_random(PRODUCTS, now).len());
        assert_eq!(edited, PRODUCTS);
        script(&world.shop, &[fault]);

        let run = world.sync().await;

        if fault == "repeat@1" {
            // The answer to the call before it, which was a sweep's and brings little of each product.
            assert!(matches!(run.verdict, Some(Verdict::Complete | Verdict::Repaired)), "{run:?}");
        } else {
            assert_complete(&run);
            assert_eq!((run.counts.seen, run.counts.updated, run.counts.pages), (20, 20, PAGES), "{fault}");
        }
        let Counts { seen, inserted, updated, unchanged, quarantined, .. } = run.counts;
        assert_eq!(seen, inserted + updated + unchanged + quarantined, "{fault}: {run:?}");
        assert_eq!(world.errors().await, Vec::<String>::new(), "{fault}");
        assert_eq!(credential(&world).await.state, CredentialState::Ok, "{fault}");
    }
}

async fn a_list_that_ends_too_early_is_not_called_complete(db: TestDb) {
    let world = mirrored_shop(db).await;
    let before = world.mirror().await;
    script(&world.shop, &["empty@3+"]);

    let run = world.sync().await;

    assert_eq!((run.state, run.verdict), (RunState::Succeeded, Some(Verdict::Partial)));
    let reason = run.error.expect("a reason");
    assert!(reason.contains("of the 20 products held are not listed any more"), "{reason}");
    assert!(world.mirror().await == before);
}

async fn a_key_revoked_in_the_middle_cancels_the_run_with_evidence(db: TestDb) {
    let world = mirrored_shop(db).await;
    world.db.clock.advance(TimeDelta::hours(1));
    let made = world.shop.calls_made();
    script(&world.shop, &["revoke@3"]);

    let run = world.sync().await;

    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)));
    assert_eq!(run.counts.pages, 2);
    let tries = u64::from(world.syncer.config.auth.canary_tries);
    assert_eq!(world.shop.calls_made() - made, 3 + tries);
    assert_eq!(run.counts.calls, 3 + tries.cast_signed());
    let flagged = credential(&world).await;
    assert_eq!((flagged.state, flagged.state_since), (CredentialState::Revoked, world.syncer.clock.now()));
    let evidence = flagged.last_error.expect("evidence");
    assert!(evidence.contains("Invalid API Key") && !evidence.contains(world.shop.key()), "{evidence}");

    let made = world.shop.calls_made();
    let again = world.sync().await;

    assert_eq!((again.state, again.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)));
    assert_eq!(world.shop.calls_made() - made, 1, "a key known to be revoked costs one call");
    assert_eq!(credential(&world).await.state, CredentialState::Revoked);
}

async fn a_key_revoked_during_the_first_run_is_revoked_too(db: TestDb) {
    let world = shop(db).await;
    script(&world.shop, &["401@2", "revoke@5"]);

    let run = world.sync().await;

    // The 401 of call 2 was looked into by call 3 and forgotten.
    assert_eq!((run.state, run.error_class), (RunState::Cancelled, Some(ErrorClass::Unauthorized)));
    assert_eq!((run.counts.pages, world.mirror().await.len()), (2, 8));
    assert_eq!(credential(&world).await.state, CredentialState::Revoked);
}

async fn a_key_that_never_worked_fails_at_once_and_costs_one_call(db: TestDb) {
    let world = shop(db).await;
    script(&world.shop, &["revoke"]);

    let run = world.sync().await;

    assert_eq!((run.state, run.error_class), (RunState::Failed, Some(ErrorClass::Unauthorized)));
    assert_eq!((world.shop.calls_made(), run.counts.calls), (1, 1));
    assert_eq!(credential(&world).await.state, CredentialState::Suspect);
}

async fn after_429_the_run_rests_uncounted_and_goes_on_where_it_was(db: TestDb) {
    let world = shop(db).await;
    for (fault, seconds) in [("429@3", 60), ("429:retry-after=90@1", 90), ("429:retry-after=5@1", 60)] {
        script(&world.shop, &[fault]);
        let now = world.syncer.clock.now();

        let run = world.sync().await;

        assert_eq!((run.state, run.error_class, run.attempt), (RunState::Queued, Some(ErrorClass::RateLimited), 0));
        assert_eq!((run.lease_owner, run.lease_expires_at), (None, None));
        // A little longer than asked, so that not all stores come back in the same second.
        let (silence, asked) = (run.scheduled_at - now, TimeDelta::seconds(seconds));
        assert!((asked..asked * 2).contains(&silence), "{fault}: {silence}");
        world.db.clock.advance(silence - TimeDelta::milliseconds(1));
        assert!(world.claim("too-early").await.is_none(), "{fault}");
        world.db.clock.advance(TimeDelta::milliseconds(1));
    }
    script(&world.shop, &[]);

    let run = world.sync().await;

    assert_complete(&run);
    assert_eq!((run.attempt, run.counts.pages), (1, PAGES));
    let calls = world.shop.calls();
    let walked: Vec<_> = calls.iter().filter(|call| call.limit == Some(4)).filter_map(|call| call.page).collect();
    assert_eq!(walked, [0, 1, 2, 2, 2, 2, 3, 4, 5, 6], "again only what was refused, and a look behind the end");
    assert_eq!(run.counts.calls, calls.len() as i64);
    assert_eq!(world.errors().await, Vec::<String>::new());
}

async fn an_outage_is_tried_again_later_until_the_attempts_are_used_up(db: TestDb) {
    let world = shop(db).await;
    script(&world.shop, &["503@3+"]);
    let attempts = world.syncer.config.worker.max_attempts.cast_signed();
    for attempt in 1..attempts {
        let run = world.sync().await;
        assert_eq!((run.state, run.attempt), (RunState::Queued, attempt));
        assert_eq!((run.error_class, run.counts.pages), (Some(ErrorClass::Transient), 2));
        assert!(run.scheduled_at >= world.syncer.clock.now() + TimeDelta::seconds(30));
        assert!(world.claim("too-early").await.is_none());
        world.db.clock.advance(TimeDelta::hours(1));
    }

    let run = world.sync().await;

    assert_eq!((run.state, run.attempt, run.error_class), (RunState::Failed, attempts, Some(ErrorClass::Transient)));
    assert_eq!(Exit::of_run(&run), Exit::Unavailable);
    assert_eq!(world.mirror().await.len(), 8);
}
