//! Keys that work, keys that are refused, stores that are not there.

use netosync::simulator::{Fault, SimulatorConfig};
use serde_json::{Value, json};

use crate::support::{Desk, KEY};

const WRONG: &str = "a-key-that-is-not-that-of-store0";

fn credential(desk: &Desk) -> Value {
    desk.json(&["store", "show", "main", "--json"])["credential"].clone()
}

fn faults(script: &[&str]) -> Vec<Fault> {
    script.iter().map(|fault| fault.parse().expect("a fault")).collect()
}

#[test]
fn a_working_key_is_found_to_work_with_one_call() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["store", "check", "main"]).exits(0).says(&["main: ok", "netosync sync main"]);
    assert_eq!(shop.calls_made(), 1);
    let checked = desk.json(&["store", "check", "main", "--json"]);
    assert_eq!((&checked["ok"], &checked["state"], &checked["calls"]), (&json!(true), &json!("ok"), &json!(1)));
    assert_eq!((&checked["evidence"]["status"], &checked["restored"]), (&json!(200), &json!(false)));
    assert_eq!(credential(&desk)["last_ok_at"], checked["evidence"]["at"]);
    desk.run(&["store", "check", "other"]).exits(1).complains(&["store list"]);
}

/// A wrong key on check and on sync, then the right one.
fn a_wrong_key(wrong_key_as_401: bool, status: u16) {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig { wrong_key_as_401, ..SimulatorConfig::default() });
    desk.add_main(&shop, WRONG);
    desk.run(&["store", "check", "main"]).exits(5).complains(&["netosync store rekey main", "--username USER"]);
    assert_eq!(shop.calls_made(), 1);
    let refused = desk.run(&["store", "check", "main", "--json"]).exits(5).json();
    assert_eq!((&refused["ok"], &refused["state"]), (&json!(false), &json!("suspect")));
    assert_eq!(refused["evidence"]["status"], status);
    assert_eq!(refused["evidence"]["fingerprint"], credential(&desk)["fingerprint"]);
    assert_eq!(refused["evidence"]["message"], credential(&desk)["last_error"]);

    let synced = desk.run(&["sync", "main", "--json"]).exits(5);
    assert_eq!(synced.json()["error_class"], "unauthorized");
    assert!(
        synced.json()["error"].as_str().is_some_and(|error| error.contains("netosync store rekey main")),
        "{synced:?}"
    );
    let status = desk.json(&["status", "main", "--json"]);
    assert_eq!((&status[0]["state"], &status[0]["error_class"]), (&json!("suspect"), &json!("unauthorized")));
    assert_eq!(status[0]["why_not"].as_array().map(Vec::len), Some(1), "{status}");

    desk.run_with(&["store", "rekey", "main", "--key-file", "-"], KEY).exits(0).says(&["netosync store check main"]);
    assert_eq!(credential(&desk)["state"], "ok");
    desk.run(&["store", "check", "main"]).exits(0);
    desk.run(&["sync", "main"]).exits(0);
    assert_eq!(desk.json(&["status", "--json"])[0]["state"], "ok");
}

#[test]
fn a_key_refused_over_http_200_is_told_with_its_remedy() {
    a_wrong_key(false, 200);
}

#[test]
fn a_key_refused_with_http_401_is_told_with_its_remedy() {
    a_wrong_key(true, 401);
}

#[test]
fn a_key_with_a_user_name_and_one_without_are_told_apart() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig { username: Some("staff".to_owned()), ..SimulatorConfig::default() });
    desk.add_main(&shop, KEY);
    desk.run(&["store", "check", "main"]).exits(5).complains(&["without a user name"]);
    desk.run_with(&["store", "rekey", "main", "--username", "other", "--key-file", "-"], KEY).exits(0);
    desk.run(&["store", "check", "main"]).exits(5).complains(&["user name other", "--no-username"]);
    let same = desk.run_with(&["store", "rekey", "main", "--username", "staff", "--key-file", "-"], KEY).exits(0);
    assert!(same.err.contains("same key as before"), "{same:?}");
    desk.run(&["store", "check", "main"]).exits(0);
    // What is not given stays.
    desk.run_with(&["store", "rekey", "main", "--key-file", "-"], KEY).exits(0);
    assert_eq!(credential(&desk)["username"], "staff");
    desk.run_with(&["store", "rekey", "main", "--no-username", "--key-file", "-"], KEY).exits(0);
    assert_eq!(credential(&desk)["username"], json!(null));
}

#[test]
fn a_revoked_key_stays_revoked_until_it_works_again() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main"]).exits(0);
    shop.set_faults(faults(&["revoke"]));
    desk.run(&["sync", "main"]).exits(5);
    assert_eq!(credential(&desk)["state"], "revoked");
    let since = credential(&desk)["state_since"].clone();
    desk.run(&["store", "check", "main"]).exits(5);
    assert_eq!((&credential(&desk)["state"], &credential(&desk)["state_since"]), (&json!("revoked"), &since));
    assert_eq!(desk.json(&["status", "--json"])[0]["state"], "revoked");
    shop.set_faults(Vec::new());
    desk.run(&["store", "check", "main"]).exits(0).says(&["it was revoked"]);
    assert_eq!(credential(&desk)["state"], "ok");
}

#[test]
fn trouble_that_is_not_the_keys_flags_nobody() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    for (fault, code) in [
        ("503", 7),
        ("html", 7),
        ("garbage", 7),
        ("ack-error:message=No such thing", 1),
        ("redirect:https://elsewhere.example/", 3),
        ("429", 7),
    ] {
        let before = shop.calls_made();
        shop.set_faults(faults(&[fault]));
        let failed = desk.run(&["store", "check", "main", "--json"]).exits(code).complains(&["nothing about the key"]);
        assert_eq!((&failed.json()["ok"], &failed.json()["state"]), (&json!(false), &json!("ok")), "{fault}");
        assert_eq!(shop.calls_made() - before, 1, "{fault}: one call means one call");
    }
    desk.close(shop);
    desk.sql("UPDATE stores SET silent_until = NULL");
    desk.run(&["store", "check", "main"]).exits(7);
    assert_eq!((&credential(&desk)["state"], &credential(&desk)["last_checked_at"]), (&json!("ok"), &json!(null)));
}

#[test]
fn a_store_that_asked_for_silence_is_not_called() {
    let desk = Desk::new();
    let shop = desk.shop(SimulatorConfig::default());
    desk.add_main(&shop, KEY);
    desk.run(&["sync", "main", "--detach"]).exits(0);
    desk.sql(
        "UPDATE runs SET error_class = 'rate_limited', error = 'HTTP 429', scheduled_at = '2999-01-01T00:00:00+00:00'",
    );
    desk.sql("UPDATE stores SET silent_until = '2999-01-01T00:00:00+00:00'");
    desk.run(&["store", "check", "main"]).exits(7).complains(&["silence"]);
    assert_eq!(shop.calls_made(), 0);
    desk.run(&["status"]).exits(0).says(&["queued", "rate_limited", "waits until 2999-01-01 00:00:00Z: HTTP 429"]);
}
