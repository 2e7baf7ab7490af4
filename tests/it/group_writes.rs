//! Many new products in one commit: the same rows as product by product, all or nothing, and nothing left of those of before.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use netosync::domain::catalogue::CHILDREN;
use netosync::domain::product::Product;
use netosync::domain::run::Counts;
use netosync::storage::products::{NewProducts, PageWrite, commit_page, commit_page_behind};
use netosync::storage::{Database, Engine, StorageError, store_removal};
use tokio::sync::oneshot;

use crate::support::group::{page, products, world, write};
use crate::support::mirrored::{Texts, execute, texts};
use crate::support::world::World;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    a_group_gives_the_rows_that_single_products_give,
    what_is_left_of_products_deleted_by_hand_does_not_stay,
    a_write_that_is_given_up_at_any_moment_is_there_in_full_or_not_at_all,
    a_group_that_is_ready_first_is_stored_behind_the_one_before_it,
    a_group_behind_one_that_is_not_stored_leaves_nothing,
    a_group_that_waits_while_its_run_is_taken_over_leaves_nothing,
    a_store_that_is_removed_while_a_group_waits_leaves_nothing,
    products_whose_ids_lie_far_apart_change_as_they_do_one_by_one,
    more_products_than_are_compared_at_once_change_as_they_do_a_few_at_a_time,
    a_product_that_was_new_to_the_list_and_is_held_by_now_stops_its_group,
    a_product_that_is_deleted_by_hand_while_its_page_is_written_stops_nobody,
);

/// Every row of every product table as the database spells it.
async fn everything(db: &Database) -> Vec<Vec<Texts>> {
    let mut tables = Vec::new();
    for table in CHILDREN.iter().map(|table| table.name).chain(["products", "product_texts", "product_changes"]) {
        let sql = match db.engine() {
            Engine::Postgres => format!("SELECT CAST({table} AS TEXT) FROM {table} ORDER BY 1"),
            Engine::Sqlite => {
                let names = "SELECT name FROM pragma_table_info('TABLE') ORDER BY cid".replace("TABLE", table);
                let names =
                    texts(db, &names).await.into_iter().map(|name| format!("quote(\"{}\")", name[0].as_ref().unwrap()));
                format!("SELECT {} FROM {table} ORDER BY 1", names.collect::<Vec<_>>().join(" || '|' || "))
            }
        };
        tables.push(texts(db, &sql).await);
    }
    tables
}

async fn forget(db: &Database) {
    for table in CHILDREN.iter().map(|table| table.name).chain(["products", "product_texts", "product_changes"]) {
        execute(db, &format!("DELETE FROM {table}")).await;
    }
    execute(db, "UPDATE stores SET change_seq = 0").await;
}

async fn a_group_gives_the_rows_that_single_products_give(db: TestDb) {
    let (world, lease) = world(db).await;
    let products = products(1..=120);
    for product in &products {
        write(&world, &lease, std::slice::from_ref(product)).await.expect("written");
    }
    let one_by_one = everything(&world.db).await;
    forget(&world.db).await;

    write(&world, &lease, &products).await.expect("written");

    let at_once = everything(&world.db).await;
    assert!(at_once.iter().all(|table| table.len() >= 90), "{:?}", at_once.iter().map(Vec::len).collect::<Vec<_>>());
    for (one_by_one, at_once) in one_by_one.iter().zip(&at_once) {
        assert_eq!(one_by_one, at_once);
    }
}

async fn what_is_left_of_products_deleted_by_hand_does_not_stay(db: TestDb) {
    let (world, lease) = world(db).await;
    let before = products(1..=60);
    write(&world, &lease, &before).await.expect("written");
    let whole = everything(&world.db).await;
    execute(&world.db, "DELETE FROM products").await;
    execute(&world.db, "DELETE FROM product_changes").await;
    execute(&world.db, "UPDATE stores SET change_seq = 0").await;
    for table in CHILDREN {
        let more = format!("UPDATE {} SET {1} = {1} + 1000", table.name, table.columns[table.key - 1].name);
        execute(&world.db, &more).await;
    }

    write(&world, &lease, &before).await.expect("written again");

    assert_eq!(everything(&world.db).await, whole);
}

async fn a_write_that_is_given_up_at_any_moment_is_there_in_full_or_not_at_all(db: TestDb) {
    let (world, lease) = world(db).await;
    let products = products(1..=80);
    write(&world, &lease, &products).await.expect("written");
    let whole = everything(&world.db).await;
    let (mut moments, mut nothing, mut rounds) = (1, 0, 0);
    // Where the machine is busy the server has answered by the next look, and a round has few of them.
    while moments > 1 || nothing <= 5 {
        forget(&world.db).await;
        if given_up_after(moments, write(&world, &lease, &products)).await {
            rounds += 1;
            assert!(rounds < 50, "given up {nothing} times before anything was there");
            moments = 1;
            continue;
        }
        // What was sent before may still arrive, but only at once.
        let mut held = everything(&world.db).await;
        loop {
            let again = everything(&world.db).await;
            if again == held {
                break;
            }
            held = again;
        }
        assert!(held == whole || held.iter().all(Vec::is_empty), "given up after {moments} looks");
        nothing += usize::from(held != whole);
        moments += 1 + moments / 8;
    }
    assert_eq!(everything(&world.db).await, whole);
}

/// Looks at a group until it has made ready whatever it can while it waits for the one before it, and nothing of it is to be seen.
async fn waits<T>(world: &World, mut group: Pin<&mut impl Future<Output = Result<Option<T>, StorageError>>>) {
    let before = everything(&world.db).await;
    for _ in 0..400 {
        assert!(group.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it is not its turn");
        tokio::task::spawn_blocking(|| ()).await.expect("no panic");
        tokio::task::yield_now().await;
    }
    assert_eq!(everything(&world.db).await, before);
}

async fn a_group_that_is_ready_first_is_stored_behind_the_one_before_it(db: TestDb) {
    let (world, lease) = world(db).await;
    let products = products(1..=160);
    write(&world, &lease, &products).await.expect("written");
    let whole = everything(&world.db).await;
    forget(&world.db).await;
    let (first, second) = products.split_at(80);
    let (tell, counts) = oneshot::channel();
    let mut behind = pin!(commit_page_behind(&world.db, page(&world, &lease, second), counts.map(Result::ok)));
    waits(&world, behind.as_mut()).await;

    let written = write(&world, &lease, first).await.expect("written");
    waits(&world, behind.as_mut()).await;
    tell.send(written).expect("it waits");

    let both = behind.await.expect("written").expect("it was its turn");
    assert_eq!((written.inserted, both.inserted), (80, 160));
    assert_eq!(everything(&world.db).await, whole, "the lines of the feed included");
}

async fn a_group_behind_one_that_is_not_stored_leaves_nothing(db: TestDb) {
    let (world, lease) = world(db).await;
    let products = products(1..=80);
    let before = everything(&world.db).await;
    let (tell, counts) = oneshot::channel::<Counts>();
    let mut behind = pin!(commit_page_behind(&world.db, page(&world, &lease, &products), counts.map(Result::ok)));
    waits(&world, behind.as_mut()).await;

    drop(tell);

    assert!(behind.await.expect("no error").is_none());
    assert_eq!(everything(&world.db).await, before);
    write(&world, &lease, &products).await.expect("nothing of it is in the way");
}

async fn a_group_that_waits_while_its_run_is_taken_over_leaves_nothing(db: TestDb) {
    let (world, lease) = world(db).await;
    let products = products(1..=80);
    let before = everything(&world.db).await;
    let (tell, counts) = oneshot::channel();
    let mut behind = pin!(commit_page_behind(&world.db, page(&world, &lease, &products), counts.map(Result::ok)));
    waits(&world, behind.as_mut()).await;

    world.db.clock.advance(world.syncer.config.worker.lease() * 2);
    let (_, taken_over) = world.claim("worker-2").await.expect("the lease has run out");
    tell.send(Counts::default()).expect("it waits");

    let lost = behind.await.expect_err("the run is somebody else's");
    assert!(matches!(lost, StorageError::LeaseLost { .. }), "{lost}");
    assert_eq!(everything(&world.db).await, before);
    write(&world, &taken_over, &products).await.expect("nothing of it is in the way");
}

async fn a_store_that_is_removed_while_a_group_waits_leaves_nothing(db: TestDb) {
    let (world, lease) = world(db).await;
    let products = products(1..=160);
    write(&world, &lease, &products[..80]).await.expect("written");
    let (tell, counts) = oneshot::channel();
    let group = page(&world, &lease, &products[80..]);
    let mut behind = pin!(commit_page_behind(&world.db, group, counts.map(Result::ok)));
    waits(&world, behind.as_mut()).await;

    tell.send(Counts::default()).expect("it waits");
    let (removed, stored) = futures::join!(store_removal::remove_store(&world.db, &world.store.name), behind);

    removed.expect("removed");
    assert!(matches!(stored, Ok(Some(_)) | Err(StorageError::LeaseLost { .. })), "{stored:?}");
    assert!(everything(&world.db).await.iter().all(Vec::is_empty));
}

/// Products that change all at once leave the rows that they leave a `few` at a time.
async fn change_alike(db: TestDb, before: Vec<Product<'_>>, after: Vec<Product<'_>>, few: usize) {
    let (world, lease) = world(db).await;
    write(&world, &lease, &before).await.expect("written");
    for few in after.chunks(few) {
        write(&world, &lease, few).await.expect("written");
    }
    let a_few_at_a_time = everything(&world.db).await;
    forget(&world.db).await;
    write(&world, &lease, &before).await.expect("written");

    let counts = write(&world, &lease, &after).await.expect("written");

    assert_eq!((usize::try_from(counts.updated), counts.inserted), (Ok(after.len()), 0));
    assert_eq!(everything(&world.db).await, a_few_at_a_time);
}

async fn products_whose_ids_lie_far_apart_change_as_they_do_one_by_one(db: TestDb) {
    let far =
        |first: i64| -> Vec<_> { (1..=20).flat_map(|n| products(first + 10_000 * n..=first + 10_000 * n)).collect() };
    let before = far(1);
    // As each other product has it, but for the IDs.
    let after: Vec<_> = before
        .iter()
        .zip(far(2))
        .map(|(before, other)| Product { inventory_id: before.inventory_id, ..other })
        .collect();
    change_alike(db, before, after, 1).await;
}

async fn more_products_than_are_compared_at_once_change_as_they_do_a_few_at_a_time(db: TestDb) {
    let other = |product: Product<'static>| Product { inventory_id: product.inventory_id - 7, ..product };
    let after: Vec<_> = products(8..=307).into_iter().map(other).collect();
    change_alike(db, products(1..=300), after, 20).await;
}

async fn a_product_that_was_new_to_the_list_and_is_held_by_now_stops_its_group(db: TestDb) {
    let (world, lease) = world(db).await;
    let all = products(1..=40);
    let packed = || {
        let mut new = NewProducts::of_run(&lease, world.syncer.clock.now());
        all[20..].iter().for_each(|product| new.add(product));
        Some(new)
    };
    let group = || PageWrite { new: packed(), ..page(&world, &lease, &all[..20]) };
    write(&world, &lease, &all[29..30]).await.expect("written");
    let before = everything(&world.db).await;

    let refused = commit_page(&world.db, group(), Counts::default()).await;

    let error = refused.expect_err("it is held");
    assert!(matches!(error, StorageError::Overtaken { inventory_id: 30 }) && error.is_passing(), "{error:?}");
    assert_eq!(everything(&world.db).await, before);
    execute(&world.db, "DELETE FROM products").await;
    let counts = commit_page(&world.db, group(), Counts::default()).await.expect("none is held");
    assert_eq!((counts.inserted, counts.unchanged), (40, 0));
    assert_eq!(texts(&world.db, "SELECT CAST(COUNT(*) AS TEXT) FROM products").await[0][0].as_deref(), Some("40"));
    execute(&world.db, "UPDATE runs SET lease_epoch = lease_epoch + 1").await;
    let refused = commit_page(&world.db, group(), Counts::default()).await;
    assert!(matches!(refused, Err(StorageError::LeaseLost { .. })), "whoever has the run now wrote them: {refused:?}");
}

async fn a_product_that_is_deleted_by_hand_while_its_page_is_written_stops_nobody(db: TestDb) {
    let (world, lease) = world(db).await;
    let before = products(1..=9);
    let after: Vec<_> = before.iter().map(|old| Product { texts: before[0].texts.clone(), ..old.clone() }).collect();
    let (mut moments, mut over) = (0, false);
    while !over {
        forget(&world.db).await;
        write(&world, &lease, &before).await.expect("written");
        let mut work = pin!(write(&world, &lease, &after));
        let mut delete = pin!(execute(&world.db, "DELETE FROM products WHERE inventory_id = 7"));
        let written = looked_at(moments, work.as_mut()).await;
        over = written.is_some();
        // Once its row is written this waits for the rest.
        let deleted = looked_at(100, delete.as_mut()).await;
        let rest = async {
            match written {
                Some(written) => written,
                None => work.await,
            }
        };
        let delete = async {
            if deleted.is_none() {
                delete.await;
            }
        };
        let (written, ()) = futures::join!(rest, delete);
        let counts = written.expect("written");
        assert_eq!(counts.updated + counts.inserted, 8, "deleted after {moments} looks");
        moments += 1 + moments / 32;
    }
}

/// Looks at work so many times; what came of it, if it was done by then.
async fn looked_at<T>(moments: usize, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    for _ in 0..moments {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(done);
        }
        // Whoever answers gets the time to do so.
        tokio::task::spawn_blocking(|| ()).await.expect("no panic");
        tokio::task::yield_now().await;
    }
    None
}

/// Looks at work so many times and drops it; whether it was done by then.
async fn given_up_after<T: std::fmt::Debug>(
    moments: usize,
    work: impl Future<Output = Result<T, StorageError>>,
) -> bool {
    looked_at(moments, pin!(work)).await.map(|done| done.expect("written")).is_some()
}
