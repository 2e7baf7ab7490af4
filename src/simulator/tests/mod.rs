//! The store on its socket, seen from outside.

mod client;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use chrono::Duration;
use serde_json::json;

use super::*;
use crate::clock::ManualClock;
use client::{call, get};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn clock() -> Arc<ManualClock> {
    ManualClock::new("2026-04-03T02:09:12Z".parse().unwrap())
}

async fn start(config: SimulatorConfig) -> SimulatedStore {
    let clock = clock();
    SimulatedStore::start(LOOPBACK, SimulatorConfig { clock, ..config }).await.unwrap()
}

async fn with_faults(faults: &[&str]) -> SimulatedStore {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    start(SimulatorConfig { products: 30, faults, ..SimulatorConfig::default() }).await
}

fn small() -> SimulatorConfig {
    SimulatorConfig { products: 30, ..SimulatorConfig::default() }
}

fn ids(store: &SimulatedStore) -> Vec<String> {
    store.with_catalogue(|catalogue| catalogue.ids().map(|id| id.to_string()).collect())
}

#[tokio::test]
async fn a_walk_sees_every_product_once_and_ends_with_an_empty_page() {
    let store = start(SimulatorConfig { products: 105, page_cap: Some(20), ..small() }).await;
    let mut seen = Vec::new();
    for page in 0..6 {
        seen.extend(get(&store, json!({"Page": page, "Limit": "1000", "OrderBy": "ID"})).await.ids());
    }
    assert_eq!(seen, ids(&store));
    assert!(get(&store, json!({"Page": 6, "Limit": 20})).await.ids().is_empty());
}

#[tokio::test]
async fn a_hostile_walk_sees_every_product_too() {
    let store = start(SimulatorConfig { products: 300, quirks: true, ..small() }).await;
    let both = json!(["True", "False"]);
    let mut seen = BTreeSet::new();
    let mut rows = 0;
    for page in 0..30 {
        let filter = json!({"Page": page, "Limit": 10, "IsActive": both, "OutputSelector": ["Name", "Images"]});
        let page = get(&store, filter).await.ids();
        rows += page.len();
        seen.extend(page);
    }
    assert_eq!(seen, ids(&store).into_iter().collect());
    assert!(rows > 300, "some rows come twice");
}

#[tokio::test]
async fn a_call_without_selectors_gets_two_fields_and_the_store_s_time() {
    let store = start(small()).await;
    let page = get(&store, json!({"Limit": 1})).await.json();
    assert_eq!(page["CurrentTime"], "2026-04-03 02:09:12");
    assert_eq!(page["Item"][0].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn a_wrong_key_is_refused_in_the_configured_way_and_never_kept() {
    let headers = "NETOAPI_KEY: not-the-key\r\nAccept: application/json";
    let store = start(small()).await;
    assert_eq!(call(&store, "POST /do/WS/NetoAPI", headers, "{}").await.error(), "Invalid API Key");
    assert!(!format!("{:?}", store.calls()).contains("not-the-key"));
    let strict = start(SimulatorConfig { wrong_key_as_401: true, ..small() }).await;
    assert_eq!(call(&strict, "POST /do/WS/NetoAPI", headers, "{}").await.status, 401);
}

#[tokio::test]
async fn a_store_with_a_user_name_refuses_the_key_without_it() {
    let store = start(SimulatorConfig { username: Some("sync".into()), ..small() }).await;
    assert_eq!(get(&store, json!({})).await.error(), "Invalid API Key");
    let named = format!("NETOAPI_KEY: {DEFAULT_KEY}\r\nNETOAPI_USERNAME: sync\r\nAccept: application/json");
    assert_eq!(call(&store, "POST /do/WS/NetoAPI", &named, "{}").await.ids().len(), 30);
}

#[tokio::test]
async fn without_accept_the_answer_is_xml_and_elsewhere_it_is_html() {
    let store = start(small()).await;
    let key = format!("NETOAPI_KEY: {DEFAULT_KEY}\r\nHost-Note: none");
    assert!(call(&store, "POST /do/WS/NetoAPI", &key, "{}").await.text().starts_with("<?xml"));
    for target in ["GET /do/WS/NetoAPI", "POST /admin"] {
        let answer = call(&store, target, &key, "").await;
        assert_eq!(answer.status, 404);
        assert!(answer.head.contains("text/html"));
    }
    assert_eq!(store.calls_made(), 1, "only calls of the API count");
}

#[tokio::test]
async fn a_refused_selector_and_a_broken_body_are_named() {
    let store = start(SimulatorConfig { refused_selectors: vec!["Misc07".into()], ..small() }).await;
    let answer = get(&store, json!({"OutputSelector": ["Name", "Misc07"]})).await;
    assert_eq!(answer.error(), "Value not allowed in OutputSelector: Misc07");
    let key = format!("NETOAPI_KEY: {DEFAULT_KEY}\r\nAccept: application/json");
    assert_eq!(call(&store, "POST /do/WS/NetoAPI", &key, "{\"Filter\"").await.error(), "JSON Error");
}

#[tokio::test]
async fn every_fault_strikes_its_call_and_no_other() {
    let store = with_faults(&[
        "429:retry-after=5@2",
        "ack-error:message=Invalid token@3",
        "html@4",
        "xml@5",
        "garbage@6",
        "empty@7",
        "redirect:https://elsewhere.example/@8",
        "503@9",
        "revoke@11x2",
    ])
    .await;
    let mut answers = vec![get(&store, json!({"Page": 0, "Limit": 10})).await];
    for _ in 2..=13 {
        answers.push(get(&store, json!({"Page": 1, "Limit": 10})).await);
    }
    let call = |number: usize| &answers[number - 1];
    assert_eq!(call(1).ids().len(), 10);
    assert_eq!(call(2).status, 429);
    assert!(call(2).head.contains("retry-after: 5"));
    assert_eq!(call(3).error(), "Invalid token");
    assert!(call(4).text().starts_with("<!DOCTYPE html>") && call(4).status == 200);
    assert!(call(5).text().starts_with("<?xml"));
    assert!(call(6).json().get("Ack").is_none());
    assert!(call(7).ids().is_empty());
    assert_eq!(call(8).status, 302);
    assert!(call(8).head.contains("location: https://elsewhere.example/"));
    assert_eq!(call(9).status, 503);
    assert_eq!((call(11).error(), call(12).error()), ("Invalid API Key".into(), "Invalid API Key".into()));
    assert_eq!((call(10).ids().len(), call(13).ids().len()), (10, 10));
    let faults: Vec<bool> = store.calls().iter().map(|call| call.fault.is_none()).collect();
    assert_eq!(faults.iter().filter(|clean| **clean).count(), 3);
}

#[tokio::test]
async fn a_repeated_page_is_the_one_before() {
    let store = with_faults(&["repeat@2"]).await;
    let first = get(&store, json!({"Page": 0, "Limit": 10})).await.ids();
    assert_eq!(get(&store, json!({"Page": 1, "Limit": 10})).await.ids(), first);
    assert_ne!(get(&store, json!({"Page": 1, "Limit": 10})).await.ids(), first);
}

#[tokio::test]
async fn a_cut_answer_announces_more_than_it_sends() {
    let store = with_faults(&["cut@1"]).await;
    let answer = get(&store, json!({"OutputSelector": ["Name"]})).await;
    let announced = answer.head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let announced: usize = announced.trim().parse().unwrap();
    assert_eq!(answer.body.len(), announced / 2);
}

#[tokio::test]
async fn a_huge_answer_has_more_bytes_than_asked() {
    let store = with_faults(&["huge:bytes=300000@1"]).await;
    assert!(get(&store, json!({})).await.body.len() > 300_000);
}

#[tokio::test]
async fn a_new_script_counts_from_the_next_call() {
    let store = with_faults(&["500"]).await;
    assert_eq!(get(&store, json!({})).await.status, 500);
    store.set_faults(vec!["503@2".parse().unwrap()]);
    assert_eq!(get(&store, json!({})).await.status, 200);
    assert_eq!(get(&store, json!({})).await.status, 503);
}

#[tokio::test]
async fn calls_beyond_the_budget_are_refused_until_a_minute_has_passed() {
    let clock = clock();
    let config = SimulatorConfig { calls_per_minute: Some(2), clock: clock.clone(), ..small() };
    let store = SimulatedStore::start(LOOPBACK, config).await.unwrap();
    let mut statuses = Vec::new();
    for seconds in [0, 1, 1, 58] {
        clock.advance(Duration::seconds(seconds));
        statuses.push(get(&store, json!({})).await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[tokio::test]
async fn the_log_says_what_was_asked_and_how_it_was_answered() {
    let store = start(SimulatorConfig { page_cap: Some(5), ..small() }).await;
    let all = ids(&store);
    get(&store, json!({"Page": 2, "Limit": 100})).await;
    get(&store, json!({"InventoryID": [all[3], all[9], "1"]})).await;
    let calls = store.calls();
    assert_eq!((calls[0].page, calls[0].limit, calls[0].rows, calls[0].status), (Some(2), Some(5), 5, Some(200)));
    assert_eq!((calls[1].number, calls[1].ids.len(), calls[1].rows, calls[1].ok), (2, 3, 2, true));
}

#[tokio::test]
async fn an_edit_shows_in_the_next_answer_with_the_cache_and_without() {
    let mut bodies = Vec::new();
    for cache_bytes in [0, 1 << 20] {
        let store = start(SimulatorConfig { cache_bytes, ..small() }).await;
        let filter = json!({"OutputSelector": ["Name", "DefaultPrice"]});
        let before = get(&store, filter.clone()).await.text();
        assert_eq!(before, get(&store, filter.clone()).await.text());
        store.with_catalogue(|catalogue| {
            let id = catalogue.ids().next().unwrap();
            catalogue.rename(id, "Renamed", "2026-04-03T03:00:00Z".parse().unwrap())
        });
        let after = get(&store, filter).await.text();
        assert!(after.contains("\"Name\":\"Renamed\""));
        bodies.push((before, after));
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn pages_drift_where_the_test_says() {
    let store = start(small()).await;
    let all = ids(&store);
    let first: i64 = all[0].parse().unwrap();
    store.before_call(2, move |catalogue| assert!(catalogue.delete(first)));
    let mut seen = get(&store, json!({"Page": 0, "Limit": 15})).await.ids();
    seen.extend(get(&store, json!({"Page": 1, "Limit": 15})).await.ids());
    assert!(!seen.contains(&all[15]), "it slipped from the second page to the first");
}

#[tokio::test]
async fn a_stopped_store_frees_its_port() {
    let store = start(small()).await;
    let address: SocketAddr = store.url().replace("http://", "").parse().unwrap();
    get(&store, json!({})).await;
    store.stop().await;
    let again = SimulatedStore::start(address, small()).await.unwrap();
    assert_eq!(get(&again, json!({})).await.ids().len(), 30);
}
