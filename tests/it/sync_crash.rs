//! The program is killed in the middle (`kill -9`): it loses no committed page, repeats at most what was under way, and
//! needs no human.

use std::collections::BTreeMap;

use netosync::simulator::truth::{differences, expected};
use serde_json::Value as Json;

use crate::support::process::Desk;
use crate::support::{TestDb, on_both_engines};

on_both_engines!(
    killed_three_times_it_repeats_one_page_each_and_ends_exact,
    killed_with_pages_under_way_it_repeats_those_only,
);

/// What is in the mirror is what the shop has, and it is these many products.
async fn assert_exact_up_to(desk: &Desk, products: usize) {
    let mirrored = desk.world.mirror().await;
    assert_eq!(mirrored.len(), products);
    for (id, rows) in &mirrored {
        let truth = desk.world.shop.with_catalogue(|catalogue| catalogue.product(*id)).expect("in the shop");
        assert_eq!(differences(&expected(&truth), rows), Vec::<String>::new(), "{id}");
    }
}

/// How often each page was asked for, by its number and its size.
fn asked(desk: &Desk) -> BTreeMap<(usize, usize), usize> {
    let mut asked = BTreeMap::new();
    for call in desk.world.shop.calls().into_iter().filter(|call| call.limit.is_some_and(|limit| limit > 1)) {
        let page = call.page.expect("every call asks for a page");
        *asked.entry((page, call.limit.expect("it has one"))).or_default() += 1;
    }
    asked
}

/// Syncs to the end, which must say `complete`, and gives what it says.
async fn assert_recovers(desk: &Desk) -> Json {
    let output = desk.sync_to_the_end().await;
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    let said: Json = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((&said["state"], &said["verdict"]), (&"succeeded".into(), &"complete".into()), "{said}\n{log}");
    assert_eq!(desk.world.errors().await, Vec::<String>::new());
    said
}

async fn killed_three_times_it_repeats_one_page_each_and_ends_exact(db: TestDb) {
    let desk = Desk::new(db, 60, &[("NETOSYNC__FETCH__PAGE_SIZE", "10")]).await;
    // Each page begins with a product of the one before it.
    let (first, second, third) = ((0, 10), (1, 9), (1, 15));
    desk.sync_until_call(1).await;
    assert_exact_up_to(&desk, 0).await;
    desk.sync_until_call(1 + 4).await;
    assert_exact_up_to(&desk, 30).await;
    assert_eq!(asked(&desk).into_iter().collect::<Vec<_>>()[..3], [(first, 2), (second, 1), (third, 1)]);
    desk.sync_until_call(1 + 4 + 3).await;
    let committed = desk.world.mirror().await.len();
    assert!(committed > 30 && committed < 60, "{committed}");
    assert_exact_up_to(&desk, committed).await;

    let said = assert_recovers(&desk).await;

    assert_eq!((&said["seen"], &said["inserted"]), (&60.into(), &60.into()));
    let times: Vec<usize> = asked(&desk).into_values().collect();
    assert!(times.iter().all(|times| *times <= 2), "{:?}", asked(&desk));
    // One page each, and one more look at the end, of which only the checkpoint's page was known.
    assert!(times.iter().filter(|times| **times == 2).count() <= 4, "{:?}", asked(&desk));
}

async fn killed_with_pages_under_way_it_repeats_those_only(db: TestDb) {
    let settings = [
        ("NETOSYNC__FETCH__PAGE_SIZE", "10"),
        ("NETOSYNC__FETCH__IN_FLIGHT", "3"),
        ("NETOSYNC__FETCH__GROUP_PRODUCTS", "0"),
    ];
    let desk = Desk::new(db, 95, &settings).await;
    desk.sync_until_call(6).await;
    let committed = desk.world.mirror().await.len();
    assert!((20..=50).contains(&committed), "{committed}");
    assert_exact_up_to(&desk, committed).await;

    assert_recovers(&desk).await;

    let twice = asked(&desk).values().filter(|times| **times > 1).count();
    assert!(twice <= 3, "{:?}", asked(&desk));
    assert!(asked(&desk).values().all(|times| *times <= 2), "{:?}", asked(&desk));
}
