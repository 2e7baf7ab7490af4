//! The state behind the server: catalogue, rendered rows, faults, calls. No HTTP in here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::SimulatorConfig;
use super::answer;
use super::calls::CallLog;
use super::catalogue::Catalogue;
use super::fault::{Fault, FaultKind};
use super::generate::mix;
use super::oauth::{self, OauthState};
use super::query::{Dialect, Filter, Query};
use super::render;
use super::spelling::Spelling;

/// Something to do to the catalogue when a call arrives.
pub(super) type Hook = Box<dyn FnOnce(&mut Catalogue) + Send>;

/// Everything a running store knows.
pub(super) struct StoreState {
    pub(super) config: SimulatorConfig,
    pub(super) catalogue: Mutex<Catalogue>,
    pub(super) calls: Mutex<CallLog>,
    pub(super) hooks: Mutex<Vec<(u64, Hook)>>,
    /// The faults, and how many calls had been made when they were set.
    faults: Mutex<(Vec<Fault>, u64)>,
    rendered: Mutex<Rendered>,
    last_page: Mutex<Option<Bytes>>,
    pub(super) oauth: oauth::Locked,
}

/// What was worked out before and may be needed again.
#[derive(Default)]
struct Rendered {
    /// Rows by selection and product, each with the revision it shows.
    rows: HashMap<(u64, i64), (u32, Bytes)>,
    bytes: usize,
    /// The last listing: a walk asks for page after page of the same one.
    listing: Option<(u64, Filter, Arc<Vec<i64>>)>,
}

/// How a page is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    Json,
    Xml,
    Empty,
    Repeat,
}

/// Locks; a panic in a test that holds the lock must not hide behind a second one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl StoreState {
    pub(super) fn new(config: SimulatorConfig, address: &str) -> Self {
        Self {
            catalogue: Mutex::new(Catalogue::new(config.products, config.seed, config.quirks)),
            calls: Mutex::default(),
            hooks: Mutex::default(),
            faults: Mutex::new((config.faults.clone(), 0)),
            rendered: Mutex::default(),
            last_page: Mutex::default(),
            oauth: Mutex::new(OauthState::new(config.oauth.clone(), address.to_owned())),
            config,
        }
    }

    pub(super) fn set_faults(&self, faults: Vec<Fault>) {
        let made = lock(&self.calls).made();
        *lock(&self.faults) = (faults, made);
    }

    /// What strikes this call, in the order in which it was scripted.
    pub(super) fn striking(&self, call: u64) -> Vec<FaultKind> {
        let (faults, since) = &*lock(&self.faults);
        let call = call.saturating_sub(*since);
        faults.iter().filter(|fault| fault.strikes(call)).map(|fault| fault.kind.clone()).collect()
    }

    /// Does what was to be done before this call is answered.
    pub(super) fn run_hooks(&self, call: u64) {
        let due: Vec<_> = lock(&self.hooks).extract_if(.., |(number, _)| *number == call).collect();
        for (_, hook) in due {
            hook(&mut lock(&self.catalogue));
        }
    }

    pub(super) fn dialect(&self) -> Dialect<'_> {
        Dialect {
            page_cap: self.config.page_cap,
            refused_selectors: &self.config.refused_selectors,
            active_only: self.config.quirks,
        }
    }

    /// The page a query asks for, and how many products are on it.
    pub(super) fn page(&self, query: &Query, kind: PageKind, now: DateTime<Utc>) -> (Bytes, usize) {
        if kind == PageKind::Repeat
            && let Some(page) = lock(&self.last_page).clone()
        {
            return (page, query.limit);
        }
        let catalogue = lock(&self.catalogue);
        let mut rendered = lock(&self.rendered);
        let all = rendered.listing(&query.filter, &catalogue);
        let from = query.page.saturating_mul(query.limit).min(all.len());
        let ids = match kind {
            PageKind::Empty => &[],
            _ => &all[from..from.saturating_add(query.limit).min(all.len())],
        };
        if kind == PageKind::Xml {
            let keys: Vec<_> = ids.iter().filter_map(|id| Some((*id, catalogue.sku(catalogue.entry(*id)?)))).collect();
            return (answer::xml(&keys, now), keys.len());
        }
        let rows: Vec<Bytes> = ids.iter().filter_map(|id| self.row(*id, query, &catalogue, &mut rendered)).collect();
        let spelling = self.spelling(i64::try_from(query.page).unwrap_or(0), 0);
        let page = answer::page(&rows, &missing(query, &catalogue), now, spelling);
        *lock(&self.last_page) = Some(page.clone());
        (page, rows.len())
    }

    fn row(&self, id: i64, query: &Query, catalogue: &Catalogue, rendered: &mut Rendered) -> Option<Bytes> {
        let entry = catalogue.entry(id)?;
        let key = (query.selection.key, id);
        if let Some((revision, row)) = rendered.rows.get(&key)
            && *revision == entry.revision
        {
            return Some(row.clone());
        }
        let spelling = self.spelling(id, entry.revision);
        let row = Bytes::from(render::product(&catalogue.make(entry), &query.selection, spelling));
        if let Some((_, old)) = rendered.rows.remove(&key) {
            rendered.bytes -= old.len();
        }
        // Full means full: throwing out rows that the same walk asks for next would only cost time.
        if rendered.bytes + row.len() <= self.config.cache_bytes {
            rendered.bytes += row.len();
            rendered.rows.insert(key, (entry.revision, row.clone()));
        }
        Some(row)
    }

    fn spelling(&self, id: i64, revision: u32) -> Spelling {
        if self.config.quirks {
            Spelling::quirky(mix(self.config.seed, id, "spelling").wrapping_add(u64::from(revision)))
        } else {
            Spelling::DOCUMENTED
        }
    }
}

impl Rendered {
    fn listing(&mut self, filter: &Filter, catalogue: &Catalogue) -> Arc<Vec<i64>> {
        match &self.listing {
            Some((version, same, ids)) if *version == catalogue.version() && same == filter => Arc::clone(ids),
            _ => {
                let ids = Arc::new(filter.matching(catalogue));
                self.listing = Some((catalogue.version(), filter.clone(), Arc::clone(&ids)));
                ids
            }
        }
    }
}

/// What was asked for by key and does not exist.
fn missing(query: &Query, catalogue: &Catalogue) -> Vec<String> {
    let ids = query.filter.ids.iter().flatten();
    ids.filter(|id| catalogue.entry(**id).is_none()).map(ToString::to_string).collect()
}
