//! `netosync sync --plan`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use netosync::simulator::SimulatorConfig;
use serde_json::{Value, json};

use crate::support::{Desk, Done, KEY};

/// On both engines.
fn desks() -> [Desk; 2] {
    [Desk::new(), Desk::on_postgres()]
}

/// Runs a command that must leave the database, and the folder for temporary files, as they were.
fn untouched(desk: &Desk, args: &[&str]) -> Done {
    let before = desk.dump();
    let done = desk.run(args);
    assert_eq!(desk.dump(), before, "{args:?}");
    assert!(desk.left_behind().is_empty(), "{:?}", desk.left_behind());
    done
}

#[test]
fn a_plan_prints_what_the_run_then_does() {
    for desk in desks() {
        let shop = desk.shop(SimulatorConfig::default());
        desk.add_main(&shop, KEY);
        let said = untouched(&desk, &["sync", "main", "--plan"]).exits(0);
        let said = said.says(&[
            "main: a full run would be complete: 5 inserts, 0 updates, 0 removals",
            "it takes 3 calls, 1 s at",
        ]);
        assert!(said.err.contains("main: no products held yet"), "{said:?}");
        for kind in ["full", "sweep", "incremental"] {
            let mut plan = untouched(&desk, &["sync", "main", "--plan", "--json", "--kind", kind]).exits(0).json();
            let mut run = desk.json(&["sync", "main", "--json", "--kind", kind]);
            for object in [&mut plan, &mut run] {
                for name in ["run_id", "duration_ms"] {
                    object.as_object_mut().expect("an object").remove(name);
                }
            }
            for (name, value) in run.as_object().expect("an object") {
                assert_eq!(&plan[name], value, "{name}");
            }
            assert_eq!(
                (&plan["plan"], &plan["restored"], &plan["removals_held"]),
                (&json!(true), &json!(0), &json!(0))
            );
            assert!(plan["minutes"].as_f64().is_some_and(|minutes| minutes > 0.0), "{plan}");
            assert_eq!(plan["calls_per_minute"], 1_000_000);
        }
    }
}

#[test]
fn a_plan_says_that_removals_would_be_held_and_which_calls_it_could_not_make() {
    for desk in desks() {
        let shop = desk.shop(SimulatorConfig::default());
        let now = shop
            .with_catalogue(|catalogue| catalogue.products().next().map(|_| ()).map(|()| chrono::DateTime::UNIX_EPOCH));
        let ids = shop.with_catalogue(|catalogue| catalogue.add(30, now.expect("there are products")));
        desk.add_main(&shop, KEY);
        desk.run(&["sync", "main"]).exits(0);
        shop.with_catalogue(|catalogue| assert!(ids[..20].iter().all(|id| catalogue.delete(*id))));
        let plan = untouched(&desk, &["sync", "main", "--plan", "--kind", "sweep", "--json"]).exits(6);
        let held = plan.json();
        assert_eq!(
            (&held["removed"], &held["removals_held"], &held["verdict"]),
            (&json!(0), &json!(20), &json!("partial"))
        );
        assert!(plan.err.contains("--approve-removals"), "{plan:?}");
        untouched(&desk, &["sync", "main", "--plan", "--kind", "sweep"])
            .exits(6)
            .says(&["0 removals, 20 removals held back"]);
        let approved = untouched(&desk, &["sync", "main", "--plan", "--approve-removals", "--json"]).exits(0).json();
        assert_eq!((&approved["removed"], &approved["removals_held"]), (&json!(20), &json!(0)));

        let cut =
            untouched(&desk, &["sync", "main", "--plan", "--max-calls", "1"]).exits(6).says(&["at least 0 inserts"]);
        assert!(cut.err.contains("main: cut off after 1 calls (--max-calls)"), "{cut:?}");
        let cut = untouched(&desk, &["sync", "main", "--plan", "--max-calls", "1", "--json"]).exits(6).json();
        assert_eq!((&cut["cut_off"], &cut["calls"], &cut["state"]), (&json!(true), &json!(1), &Value::Null));
    }
}

#[test]
fn a_plan_that_fails_changes_nothing_either() {
    for desk in desks() {
        let shop = desk.shop(SimulatorConfig::default());
        desk.add_main(&shop, KEY);
        desk.run_with(&["store", "add", "wrong", "--url", &shop.url(), "--key-file", "-"], "wrong").exits(0);
        desk.run(&["sync", "main"]).exits(0);
        let refused = untouched(&desk, &["sync", "wrong", "--plan", "--json"]).exits(5);
        assert_eq!((&refused.json()["error_class"], &refused.json()["plan"]), (&json!("unauthorized"), &json!(true)));
        refused.complains(&["wrong: ", "netosync store rekey wrong", "this was a plan"]);

        // A key that has worked and is revoked is asked again, and keeps its state here.
        shop.set_faults(vec!["revoke".parse().expect("a fault")]);
        untouched(&desk, &["sync", "main", "--plan"]).exits(5).complains(&["main: ", "this was a plan"]);
        assert_eq!(desk.json(&["status", "main", "--json"])[0]["state"], "ok");
        shop.set_faults(Vec::new());

        desk.run(&["store", "pause", "main"]).exits(0);
        untouched(&desk, &["sync", "main", "--plan"]).exits(1).complains(&["main: it is paused"]);
        desk.run(&["store", "resume", "main"]).exits(0);
        desk.run(&["sync", "main", "--detach"]).exits(0);
        let busy = untouched(&desk, &["sync", "main", "--plan", "--json"]).exits(1);
        assert_eq!((&busy.json()["plan"], &busy.json()["run_id"]), (&json!(true), &Value::Null));
        busy.complains(&["main: run ", "is queued", "plan again"]);
        desk.run(&["sync", "main"]).exits(0);
        desk.run(&["sync", "main", "--plan", "--detach"]).exits(2);
        desk.run(&["sync", "main", "--max-calls", "7"]).exits(2);

        desk.close(shop);
        untouched(&desk, &["sync", "main", "--plan"]).exits(7).complains(&["main: no connection"]);
    }
}

#[test]
fn a_plan_that_is_interrupted_ends_well_and_leaves_nothing_behind() {
    for desk in desks() {
        let shop = desk.shop(SimulatorConfig::default());
        desk.add_main(&shop, KEY);
        let before = desk.dump();
        let (called, calls) = mpsc::channel();
        let (go_on, gone_on) = mpsc::channel::<()>();
        shop.before_call(2, move |_| {
            called.send(()).expect("the test waits");
            // Until the signal is sent; then the answer comes.
            _ = gone_on.recv();
        });
        let mut command = desk.std_command(&["sync", "main", "--plan"]);
        let mut plan = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        calls.recv().expect("the second call comes");
        assert_eq!(desk.left_behind().len(), 1, "a copy");
        let signal = Command::new("kill").args(["-INT", &plan.id().to_string()]).status();
        assert!(signal.expect("every system has kill").success());
        let mut said = BufReader::new(plan.stderr.take().expect("it is piped")).lines();
        assert!(said.any(|line| line.expect("text").contains("stopping after the page under way")));
        drop(go_on);
        assert_eq!(plan.wait().expect("our child").code(), Some(130));
        assert_eq!((desk.left_behind().len(), desk.dump() == before), (0, true));

        // A second signal leaves at once, and takes the copy along.
        let (called, calls) = mpsc::channel();
        let (go_on, gone_on) = mpsc::channel::<()>();
        shop.before_call(shop.calls_made() + 2, move |_| {
            called.send(()).expect("the test waits");
            _ = gone_on.recv();
        });
        let mut plan = command.spawn().expect("the program starts");
        calls.recv().expect("the second call comes");
        while plan.try_wait().expect("our child").is_none() {
            drop(Command::new("kill").args(["-INT", &plan.id().to_string()]).status());
        }
        assert_eq!(plan.wait().expect("our child").code(), Some(130));
        drop(go_on);
        assert_eq!((desk.left_behind().len(), desk.dump() == before), (0, true));
    }
}
