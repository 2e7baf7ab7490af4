//! Every input of [`judge`], and what follows from any sequence of them.

use proptest::prelude::*;

use super::*;
use CredentialState::{Ok, Revoked, Suspect};
use Event::{Refused, Untried, Worked};

const POLICY: Policy = Policy {
    tries: 3,
    initial: TimeDelta::seconds(8),
    max: TimeDelta::seconds(32),
    retest_initial: TimeDelta::hours(6),
    retest_max: TimeDelta::hours(24),
    doubt: TimeDelta::minutes(10),
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

fn ago(delta: TimeDelta) -> DateTime<Utc> {
    now() - delta
}

/// One combination of all inputs.
#[derive(Clone, Copy, Debug)]
struct Case {
    key: Standing,
    event: Event,
    others: Others,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for state in [Ok, Suspect, Revoked] {
        for since in [TimeDelta::zero(), TimeDelta::minutes(9), TimeDelta::minutes(10), TimeDelta::hours(7)] {
            for refusals in [0, 1, 2, 3, 4, 7, u32::MAX] {
                for worked in [false, true] {
                    for next in [None, Some(ago(TimeDelta::hours(1))), Some(now()), Some(ago(TimeDelta::hours(-1)))] {
                        for event in [Worked, Refused, Untried] {
                            for others in [Others::Outage(ago(TimeDelta::minutes(4))), Others::Silent, Others::Fine] {
                                let since = ago(since);
                                let key = Standing { state, since, refusals, worked, next_check_at: next };
                                cases.push(Case { key, event, others });
                            }
                        }
                    }
                }
            }
        }
    }
    cases
}

/// One row of the table: whom it is about, and what becomes of key and run.
struct Row {
    about: &'static str,
    when: fn(&Case) -> bool,
    then: fn(&Case) -> Judgement,
}

fn judged(state: CredentialState, refusals: u32, next: Option<DateTime<Utc>>, then: Then) -> Judgement {
    Judgement { state, refusals, next_check_at: next, then }
}

fn hours(hours: i64) -> DateTime<Utc> {
    now() + TimeDelta::hours(hours)
}

fn seconds(seconds: i64) -> Then {
    Then::AskAgain(now() + TimeDelta::seconds(seconds))
}

fn unchanged(case: &Case, next: Option<DateTime<Utc>>, then: Then) -> Judgement {
    judged(case.key.state, case.key.refusals, next, then)
}

/// Six hours for a key given up just now, twice its age for an older one.
fn by_age(case: &Case) -> DateTime<Utc> {
    hours(if case.key.since == ago(TimeDelta::hours(7)) { 14 } else { 6 })
}

fn in_outage(case: &Case) -> bool {
    matches!(case.others, Others::Outage(_))
}

/// Refused, not given up yet, and no outage.
fn counts(case: &Case) -> bool {
    case.event == Refused && case.key.state != Revoked && !in_outage(case)
}

fn doubted(case: &Case) -> bool {
    case.others == Others::Silent && case.key.since > ago(TimeDelta::minutes(10))
}

const TABLE: &[Row] = &[
    Row { about: "works", when: |c| c.event == Worked, then: |_| judged(Ok, 0, None, Then::GoOn) },
    Row {
        about: "not tried, ok",
        when: |c| c.event == Untried && c.key.state == Ok,
        then: |c| unchanged(c, c.key.next_check_at, Then::AsTheErrorSays),
    },
    Row {
        about: "not tried, suspect, being asked again",
        when: |c| c.event == Untried && c.key.state == Suspect && c.key.next_check_at.is_none(),
        then: |c| unchanged(c, None, Then::AsTheErrorSays),
    },
    Row {
        about: "not tried, suspect that was given up",
        when: |c| c.event == Untried && c.key.state == Suspect && c.key.next_check_at.is_some(),
        then: |c| unchanged(c, Some(by_age(c)), Then::End),
    },
    Row {
        about: "not tried, revoked",
        when: |c| c.event == Untried && c.key.state == Revoked,
        then: |c| unchanged(c, Some(by_age(c)), Then::End),
    },
    Row {
        about: "refused, revoked",
        when: |c| c.event == Refused && c.key.state == Revoked,
        then: |c| judged(Revoked, c.key.refusals.saturating_add(1), Some(by_age(c)), Then::End),
    },
    Row {
        about: "refused in an outage: the count starts again",
        when: |c| c.event == Refused && c.key.state != Revoked && in_outage(c),
        then: |_| judged(Suspect, 0, None, seconds(120)),
    },
    Row {
        about: "never worked, first refusal",
        when: |c| counts(c) && !c.key.worked && c.key.state == Ok,
        then: |c| judged(Suspect, c.key.refusals.saturating_add(1), Some(hours(6)), Then::End),
    },
    Row {
        about: "never worked, refused before, not given up yet",
        when: |c| counts(c) && !c.key.worked && c.key.state == Suspect && c.key.next_check_at.is_none(),
        then: |c| judged(Suspect, c.key.refusals.saturating_add(1), Some(hours(6)), Then::End),
    },
    Row {
        about: "never worked, a person asks before its time",
        when: |c| counts(c) && !c.key.worked && c.key.state == Suspect && c.key.next_check_at > Some(now()),
        then: |c| judged(Suspect, c.key.refusals.saturating_add(1), c.key.next_check_at, Then::End),
    },
    Row {
        about: "never worked, refused again when its time has come",
        when: |c| {
            counts(c)
                && !c.key.worked
                && c.key.state == Suspect
                && c.key.next_check_at.is_some_and(|at| at <= now())
                && c.key.refusals > 0
        },
        then: |c| judged(Revoked, c.key.refusals.saturating_add(1), Some(hours(6)), Then::End),
    },
    Row {
        about: "never worked, refused for the first time that counts",
        when: |c| {
            counts(c)
                && !c.key.worked
                && c.key.state == Suspect
                && c.key.next_check_at.is_some_and(|at| at <= now())
                && c.key.refusals == 0
        },
        then: |_| judged(Suspect, 1, Some(hours(6)), Then::End),
    },
    Row {
        about: "worked, first refusal",
        when: |c| counts(c) && c.key.worked && c.key.state == Ok,
        then: |_| judged(Suspect, 1, None, seconds(8)),
    },
    Row {
        about: "worked, a canary is refused",
        when: |c| counts(c) && c.key.worked && c.key.state == Suspect && c.key.refusals < 3,
        then: |c| {
            let wait = [8, 16, 32][c.key.refusals as usize];
            judged(Suspect, c.key.refusals + 1, None, seconds(wait))
        },
    },
    Row {
        about: "worked, the last canary is refused, and nothing speaks for the vendor",
        when: |c| counts(c) && c.key.worked && c.key.state == Suspect && c.key.refusals >= 3 && !doubted(c),
        then: |c| judged(Revoked, c.key.refusals.saturating_add(1), Some(hours(6)), Then::End),
    },
    Row {
        about: "worked, the last canary is refused, and it may be the vendor",
        when: |c| counts(c) && c.key.worked && c.key.state == Suspect && c.key.refusals >= 3 && doubted(c),
        then: |c| {
            let doubling = match c.key.refusals {
                3 => 64,
                4 => 128,
                7 => 1024,
                _ => i64::MAX,
            };
            let window_left = (c.key.since + TimeDelta::minutes(10) - now()).num_seconds();
            judged(Suspect, c.key.refusals.saturating_add(1), None, seconds(doubling.min(window_left)))
        },
    },
];

#[test]
fn every_input_has_one_row_of_the_table_and_is_judged_by_it() {
    let mut met = vec![0; TABLE.len()];
    for case in cases() {
        let rows: Vec<_> = (0..TABLE.len()).filter(|row| (TABLE[*row].when)(&case)).collect();
        let [row] = rows[..] else {
            panic!("{case:?} is in {:?}", rows.iter().map(|row| TABLE[*row].about).collect::<Vec<_>>());
        };
        met[row] += 1;
        let found = judge(&case.key, case.event, case.others, now(), &POLICY);
        assert_eq!(found, (TABLE[row].then)(&case), "{}: {case:?}", TABLE[row].about);
    }
    let unused: Vec<_> = TABLE.iter().zip(met).filter(|(_, met)| *met == 0).map(|(row, _)| row.about).collect();
    assert_eq!(unused, [""; 0]);
}

/// A key as its row would become.
fn after(key: Standing, judgement: Judgement, at: DateTime<Utc>) -> Standing {
    let since = if key.state == judgement.state { key.since } else { at };
    let worked = key.worked || judgement.then == Then::GoOn;
    Standing {
        since,
        worked,
        state: judgement.state,
        refusals: judgement.refusals,
        next_check_at: judgement.next_check_at,
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![1 => Just(Worked), 8 => Just(Refused), 4 => Just(Untried)]
}

fn minutes_of_outage() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![4 => Just(None), 1 => (0i64..3000).prop_map(Some)]
}

proptest! {
    /// A store with a schedule of every quarter of an hour, whatever its calls bring.
    #[test]
    fn a_revoked_key_costs_at_most_four_calls_a_day_and_one_refusal_or_an_outage_revokes_none(
        worked in any::<bool>(),
        steps in proptest::collection::vec((event(), minutes_of_outage(), any::<bool>()), 1..120),
    ) {
        let mut at = now();
        let mut key = Standing { state: Ok, since: at, refusals: 0, worked, next_check_at: None };
        let (mut refused_in_a_row, mut while_revoked) = (0, Vec::new());
        for (event, outage, silent) in steps {
            if key.state == Revoked {
                while_revoked.push(at);
            }
            let others = match (outage, silent) {
                (Some(minutes), _) => Others::Outage(at - TimeDelta::minutes(minutes)),
                (None, true) => Others::Silent,
                (None, false) => Others::Fine,
            };
            let judgement = judge(&key, event, others, at, &POLICY);
            refused_in_a_row = match event { Refused => refused_in_a_row + 1, Worked => 0, Untried => refused_in_a_row };
            if judgement.state == Revoked && key.state != Revoked {
                prop_assert!(refused_in_a_row > 1, "one refusal flags nobody");
                prop_assert!(outage.is_none(), "nobody is flagged in an outage");
                prop_assert!(event == Refused);
            }
            prop_assert_eq!(judgement.state == Ok, event == Worked || (key.state == Ok && event == Untried));
            key = after(key, judgement, at);
            // By itself it is called when it may be, as its run says, and else by its schedule.
            at = match (judgement.next_check_at, judgement.then) {
                (Some(next), _) | (None, Then::AskAgain(next)) => next,
                (None, _) => at + TimeDelta::minutes(15),
            };
            prop_assert!(judgement.then == Then::GoOn || judgement.next_check_at.is_none_or(|next| next >= at));
        }
        for (number, first) in while_revoked.iter().enumerate() {
            let within_a_day = while_revoked[number..].iter().filter(|call| **call - *first < TimeDelta::days(1)).count();
            prop_assert!(within_a_day <= 4, "{while_revoked:?}");
        }
    }
}
