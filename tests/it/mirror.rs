//! What the mirror holds is what the shop has: row for row, after a first load and after changes.

use netosync::domain::run::{RunState, Verdict};
use netosync::simulator::SimulatorConfig;

use crate::support::mirrored::errors;
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(a_hostile_shop_is_mirrored_row_for_row);

async fn a_hostile_shop_is_mirrored_row_for_row(db: TestDb) {
    let world = World::new(db, SimulatorConfig { products: 500, quirks: true, ..SimulatorConfig::default() }).await;

    let run = world.sync().await;

    assert_eq!((run.state, run.verdict, run.error), (RunState::Succeeded, Some(Verdict::Complete), None));
    assert_eq!(errors(&world.db, world.store.id, &world.shop).await, Vec::<String>::new());
}
