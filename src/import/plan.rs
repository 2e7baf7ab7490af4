//! What an import is going to do: the rows against what is held. Pure.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::key::differences;
use super::report::{Changed, Paused};
use super::row::Wanted;
use super::{ImportError, Refused, Report};
use crate::domain::store::{Credential, Origin, Store};
use crate::storage::imported;
use crate::storage::stores::{Change, NewStore, StoreChanges};
use crate::storage::vault::PlainCredential;

/// Why a store rests whose row says so.
const SAYS_SO: &str = "paused in the import";
/// Why a store rests that has no row any more.
const GONE: &str = "no longer in the import";

/// A store that an import has brought.
#[derive(Debug)]
pub struct Held {
    /// The store.
    pub store: Store,
    /// Its key; `None` when it has none, or one that does not open.
    pub key: Option<Credential>,
}

/// How many stores may rest after one import.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// Share of those that do not rest; one always may.
    pub max_share: f64,
    /// A person has approved any number.
    pub approved: bool,
}

/// What is going to be done.
#[derive(Debug)]
pub struct Plan {
    /// A step a store.
    pub steps: Vec<Step>,
    /// The same in words.
    pub report: Report,
}

/// What is done to one store.
#[derive(Debug)]
pub struct Step {
    target: Target,
    /// Its new key.
    pub key: Option<PlainCredential>,
    /// Why it rests from now on; [`Change::Clear`]: not any more.
    pub pause: Change<&'static str>,
}

#[derive(Debug)]
enum Target {
    New(NewStore),
    /// By its place in what is held.
    Held {
        at: usize,
        name: String,
        changes: StoreChanges,
    },
}

impl Step {
    /// The store.
    pub fn name(&self) -> &str {
        match &self.target {
            Target::New(store) => &store.name,
            Target::Held { name, .. } => name,
        }
    }

    /// The step as storage takes it; `held` is what was planned with.
    pub fn as_step<'a>(&'a self, held: &'a [Held]) -> imported::Step<'a> {
        match &self.target {
            Target::New(store) => imported::Step::Add(store),
            Target::Held { at, changes, .. } => imported::Step::Follow { store: &held[*at].store, changes },
        }
    }
}

/// Plans an import. `manual` are the names of the stores that were added by hand: nobody takes them over.
pub fn plan(
    wanted: Vec<Wanted>,
    refused: Vec<Refused>,
    held: &[Held],
    manual: &[String],
    guard: Guard,
    now: DateTime<Utc>,
) -> Result<Plan, ImportError> {
    let resting = |store: &Store| store.paused_by == Origin::Import && store.is_paused(now);
    let active = held.iter().filter(|held| !resting(&held.store)).count();
    if wanted.is_empty() && refused.is_empty() && active > 0 && !guard.approved {
        return Err(ImportError::Empty { stores: active });
    }
    let places: HashMap<_, _> = held.iter().enumerate().map(|(at, held)| (held.store.name.as_str(), at)).collect();
    let manual: HashSet<_> = manual.iter().map(String::as_str).collect();
    let mut named: HashSet<String> =
        refused.iter().filter_map(|refused| Some(refused.name.as_ref()?.whole().to_owned())).collect();
    let mut plan = Plan { steps: Vec::new(), report: Report { refused, ..Report::default() } };
    for row in wanted {
        let name = row.store.name.clone();
        named.insert(name.clone());
        match places.get(name.as_str()) {
            Some(at) => plan.follow(*at, &held[*at], row, now),
            None if manual.contains(name.as_str()) => plan.report.refuse(
                &name,
                &format!(
                    "a store of that name was added by hand; `netosync store set {name} --origin import` hands it over"
                ),
            ),
            None => plan.add(row),
        }
    }
    for (at, held) in held.iter().enumerate().filter(|(_, held)| !named.contains(&held.store.name)) {
        plan.rest(at, &held.store, StoreChanges::default(), None, Some(GONE), now);
    }
    let pausing = plan.report.paused.len();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count, rounded down")]
    let allowed = ((guard.max_share * active as f64) as usize).max(1);
    if pausing > allowed && !guard.approved {
        return Err(ImportError::TooManyPauses { pausing, stores: active, allowed });
    }
    Ok(plan)
}

impl Plan {
    fn add(&mut self, row: Wanted) {
        self.report.added.push(row.store.name.clone());
        let pause = if row.paused { Change::Set(SAYS_SO) } else { Change::Keep };
        self.steps.push(Step { target: Target::New(row.store), key: Some(row.key), pause });
    }

    fn follow(&mut self, at: usize, held: &Held, row: Wanted, now: DateTime<Utc>) {
        let store = &held.store;
        if row.store.connector != store.connector {
            return self.report.refuse(
                &store.name,
                "its connector is another than before; remove the store first, or rename the row",
            );
        }
        let (changes, mut what) = changes(store, &row);
        let different = held.key.as_ref().map_or_else(|| vec!["secret"], |key| differences(key, &row.key));
        let key = (!different.is_empty()).then_some(row.key);
        what.extend(different);
        if !what.is_empty() {
            self.report.changed.push(Changed { store: store.name.clone(), what });
        }
        self.rest(at, store, changes, key, row.paused.then_some(SAYS_SO), now);
    }

    /// Lets a store rest, or go on, or neither; and does what else there is to do.
    fn rest(
        &mut self,
        at: usize,
        store: &Store,
        changes: StoreChanges,
        key: Option<PlainCredential>,
        reason: Option<&'static str>,
        now: DateTime<Utc>,
    ) {
        let name = store.name.clone();
        let by_import = store.paused_by == Origin::Import && store.is_paused(now);
        let pause = match reason {
            // A person's pause stays a person's.
            Some(_) if store.is_paused(now) && !by_import => Change::Keep,
            Some(reason) if by_import && store.paused_reason.as_deref() == Some(reason) => Change::Keep,
            Some(reason) => {
                // One that rests already is only told another reason.
                if !by_import {
                    self.report.paused.push(Paused { store: name.clone(), reason });
                }
                Change::Set(reason)
            }
            None if by_import => {
                self.report.resumed.push(name.clone());
                Change::Clear
            }
            None => Change::Keep,
        };
        if pause == Change::Keep && key.is_none() && is_nothing(&changes) {
            self.report.unchanged += 1;
            return;
        }
        self.steps.push(Step { target: Target::Held { at, name, changes }, key, pause });
    }
}

/// What a row changes of a store's address and settings, and the columns' names.
fn changes(store: &Store, row: &Wanted) -> (StoreChanges, Vec<&'static str>) {
    let mut what = Vec::new();
    let url = (row.store.url != store.url).then(|| row.store.url.clone());
    what.extend(url.is_some().then_some("url"));
    let mut text = |column: &'static str, now: &Option<String>, wanted: &Option<String>| {
        setting(row, column, now.as_ref(), wanted.as_ref(), &mut what)
    };
    let (now, wanted) = (store, &row.store);
    let timezone = text("timezone", &now.timezone, &wanted.timezone);
    let schedule_full = text("schedule_full", &now.schedule_full, &wanted.schedule_full);
    let schedule_incremental = text("schedule_incremental", &now.schedule_incremental, &wanted.schedule_incremental);
    let schedule_sweep = text("schedule_sweep", &now.schedule_sweep, &wanted.schedule_sweep);
    let calls = (now.calls_per_minute.as_ref(), wanted.calls_per_minute.as_ref());
    let calls_per_minute = setting(row, "calls_per_minute", calls.0, calls.1, &mut what);
    let changes = StoreChanges {
        url,
        timezone,
        schedule_full,
        schedule_incremental,
        schedule_sweep,
        calls_per_minute,
        origin: None,
    };
    (changes, what)
}

fn setting<T: Clone + PartialEq>(
    row: &Wanted,
    column: &'static str,
    now: Option<&T>,
    wanted: Option<&T>,
    what: &mut Vec<&'static str>,
) -> Change<T> {
    if !row.settings.contains(&column) || now == wanted {
        return Change::Keep;
    }
    what.push(column);
    wanted.map_or(Change::Clear, |wanted| Change::Set(wanted.clone()))
}

fn is_nothing(changes: &StoreChanges) -> bool {
    let StoreChanges { url, timezone, schedule_full, schedule_incremental, schedule_sweep, calls_per_minute, origin } =
        changes;
    url.is_none()
        && origin.is_none()
        && [timezone, schedule_full, schedule_incremental, schedule_sweep].iter().all(|change| **change == Change::Keep)
        && *calls_per_minute == Change::Keep
}
