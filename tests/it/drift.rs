//! A catalogue that changes between any two calls: whatever was there all along is in the copy, or the run does not say that
//! it is complete. Beside it, what a walker that only counts pages would miss on the same changes.
//!
//! `NETOSYNC_TEST_SEEDS` sets the number of seeds a database; the published figures are of 10,000.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use netosync::clock::Clock;
use netosync::domain::run::{RunKind, Verdict};
use netosync::simulator::truth::{differences, expected};
use netosync::simulator::{Catalogue, SimulatorConfig};
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(what_was_there_all_along_is_there_and_current);

/// Products a shop begins with.
const PRODUCTS: usize = 40;
/// Calls before which something changes.
const CALLS: u64 = 60;

/// Adds, edits, renames and deletes a few.
fn change(catalogue: &mut Catalogue, rng: &mut SmallRng, now: chrono::DateTime<chrono::Utc>) {
    for _ in 0..rng.random_range(0..3) {
        let Some(id) = catalogue.ids().choose(rng) else { return };
        match rng.random_range(0..10) {
            0..5 => drop(catalogue.delete(id)),
            5..7 => drop(catalogue.add(1, now)),
            7 => drop(catalogue.rename(id, &format!("Name {}", rng.random::<u32>()), now)),
            8 => drop(catalogue.edit_price(id, now)),
            _ => drop(catalogue.move_stock(id)),
        }
    }
}

async fn what_was_there_all_along_is_there_and_current(db: TestDb) {
    let seeds: u64 = std::env::var("NETOSYNC_TEST_SEEDS").map_or(12, |seeds| seeds.parse().expect("a number"));
    let (mut sure, mut unsure, mut naive_missed, mut naive_wrong) = (0, 0, 0, 0);
    let shop = SimulatorConfig { products: 0, ..SimulatorConfig::default() };
    let settings = [
        ("NETOSYNC__FETCH__PAGE_SIZE", "8"),
        ("NETOSYNC__FETCH__SWEEP_PAGE_SIZE", "8"),
        ("NETOSYNC__REMOVAL__MAX_SHARE", "1"),
    ];
    let world = World::with(db, shop, &settings).await;
    let four_in_flight = world.worker(&[&settings[..], &[("NETOSYNC__FETCH__IN_FLIGHT", "4")]].concat());
    for seed in 0..seeds {
        let worker = if seed / 2 % 2 == 0 { &world.syncer } else { &four_in_flight };
        let clock = world.db.clock.clone();
        let config = SimulatorConfig { products: PRODUCTS, seed, clock, ..SimulatorConfig::default() };
        let shop = netosync::simulator::SimulatedStore::start(crate::support::world::LOOPBACK, config);
        let shop = shop.await.expect("a free port");
        let store = world.store_at(&format!("shop-{seed}"), &shop).await;
        let kinds = [RunKind::Full, if seed % 2 == 0 { RunKind::Sweep } else { RunKind::Full }];
        for kind in kinds {
            let begun: BTreeSet<i64> = shop.with_catalogue(|catalogue| catalogue.ids().collect());
            // What each product was at some time since the run began: any of it is current.
            let forms: Arc<Mutex<BTreeMap<i64, Vec<_>>>> = Arc::default();
            let note = |catalogue: &Catalogue, forms: &Mutex<BTreeMap<i64, Vec<_>>>| {
                let mut forms = forms.lock().expect("nobody panics with it");
                for product in catalogue.products() {
                    let versions = forms.entry(product.inventory_id).or_default();
                    if versions.last() != Some(&product) {
                        versions.push(product);
                    }
                }
            };
            shop.with_catalogue(|catalogue| note(catalogue, &forms));
            let pages = Arc::new(Mutex::new(Naive::default()));
            let made = shop.calls_made();
            for call in made + 1..=made + CALLS {
                let (clock, forms, pages) = (world.db.clock.clone(), forms.clone(), pages.clone());
                let mut rng = SmallRng::seed_from_u64(seed << 8 ^ call);
                shop.before_call(call, move |catalogue| {
                    clock.advance(TimeDelta::seconds(1));
                    change(catalogue, &mut rng, clock.now());
                    note(catalogue, &forms);
                    pages.lock().expect("nobody panics with it").walk(catalogue);
                });
            }

            let run = world.sync_kind(worker, &store, kind).await;

            let ended: BTreeSet<i64> = shop.with_catalogue(|catalogue| catalogue.ids().collect());
            let all_along: Vec<i64> = begun.intersection(&ended).copied().collect();
            let naive = std::mem::take(&mut pages.lock().expect("nobody panics with it").met);
            let missed = all_along.iter().filter(|id| !naive.contains(id)).count();
            naive_missed += missed;
            naive_wrong += usize::from(missed > 0);
            if !matches!(run.verdict, Some(Verdict::Complete | Verdict::Repaired)) {
                unsure += 1;
                eprintln!("seed {seed}, {kind}: not sure: {}", run.error.unwrap_or_default());
                continue;
            }
            sure += 1;
            let held = crate::support::mirrored::products(&world.db, store.id).await;
            let forms = forms.lock().expect("nobody panics with it");
            for id in all_along {
                let Some(rows) = held.get(&id) else { panic!("seed {seed}, {kind}: product {id} is missing: {run:?}") };
                let current = forms[&id].iter().any(|form| differences(&expected(form), rows).is_empty());
                assert!(
                    current,
                    "seed {seed}, {kind}: product {id} is not what it was at any time of the run: {run:?}"
                );
            }
            drop(forms);
            // What is left of the changes is none of the next run's.
            for call in shop.calls_made() + 1..=made + CALLS {
                shop.before_call(call, |_| {});
            }
        }
    }
    eprintln!(
        "{seeds} seeds: {sure} runs sure and right, {unsure} not sure; a naive walker missed {naive_missed} products in \
         {naive_wrong} of them"
    );
    assert!(sure * 10 >= (sure + unsure) * 9, "{unsure} of {} runs were not sure", sure + unsure);
}

/// A walker that reads page after page and believes what it sees.
#[derive(Default)]
struct Naive {
    page: usize,
    over: bool,
    met: BTreeSet<i64>,
}

impl Naive {
    fn walk(&mut self, catalogue: &Catalogue) {
        if self.over {
            return;
        }
        let ids: Vec<i64> = catalogue.ids().skip(self.page * 8).take(8).collect();
        self.over = ids.is_empty();
        self.page += 1;
        self.met.extend(ids);
    }
}
