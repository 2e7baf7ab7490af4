//! `netosync sync --plan`: what the runs would do, found out by [`crate::sync::plan`], in words and for scripts.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::report::{error_json, run_json};
use crate::cli::app::App;
use crate::cli::exit::{CliError, Exit};
use crate::cli::progress::Progress;
use crate::cli::text::number;
use crate::cli::{complain, forecast, say, signals};
use crate::domain::error::ErrorClass;
use crate::domain::forecast::Forecast;
use crate::domain::run::{RunKind, RunState, Verdict};
use crate::domain::store::Store;
use crate::storage::{Database, Manners, overview, scratch};
pub use crate::sync::plan::Wish;
use crate::sync::plan::{Plan, PlanError, Planned};
use crate::sync::{Patience, Syncer};

/// From one look at the copy to the next.
const LOOK: Duration = Duration::from_millis(500);

/// Plans a run of each store, as many at once as a daemon has slots, and says what came of it.
///
/// # Errors
/// What makes all plans impossible.
pub async fn run(
    app: &App,
    db: &Database,
    wish: &Wish,
    stores: Vec<Store>,
    as_json: bool,
) -> Result<Vec<Exit>, CliError> {
    if stores.is_empty() {
        return Ok(Vec::new());
    }
    let stop = CancellationToken::new();
    let _signals = signals::stop_on_signal_and(stop.clone(), scratch::take_all_away);
    let progress = Progress::new(as_json);
    let real = app.database_with(&Manners::WORKING).await?;
    let syncer = app.syncer(&real, Patience::Foreground).await?;
    let planner = Planner { app, db, syncer, wish, stop: &stop, progress: &progress };
    let slots = app.config.worker.slots as usize;
    let mut plans = pin!(stream::iter(&stores).map(|store| planner.plan(store)).buffer_unordered(slots));
    let mut exits = Vec::new();
    while let Some((store, outcome)) = plans.next().await {
        progress.suspend(|| match outcome {
            Ok(found) => exits.push(found.report(store, wish, as_json)),
            Err(error) => {
                report_error(&store.name, wish.kind, &error, as_json);
                exits.push(error.exit);
            }
        });
    }
    Ok(exits)
}

/// Says why there is no plan.
pub fn report_error(store: &str, kind: RunKind, error: &CliError, as_json: bool) {
    if as_json {
        let mut object = error_json(store, kind, &error.message);
        object["plan"] = json!(true);
        say(object);
    }
    complain(&format!("error: {store}: {}", error.message));
}

struct Planner<'a> {
    app: &'a App,
    db: &'a Database,
    syncer: Syncer,
    wish: &'a Wish,
    stop: &'a CancellationToken,
    progress: &'a Progress,
}

/// A plan, and what it says of the run's cost.
struct Found {
    planned: Planned,
    cost: Forecast,
    calls_per_minute: u32,
    held: u64,
}

impl Planner<'_> {
    async fn plan<'s>(&self, store: &'s Store) -> (&'s Store, Result<Found, CliError>) {
        (store, Box::pin(self.find_out(store)).await)
    }

    async fn find_out(&self, store: &Store) -> Result<Found, CliError> {
        if self.stop.is_cancelled() {
            return Err(PlanError::Interrupted.into());
        }
        let plan = tokio::select! {
            plan = Plan::prepare(&self.syncer, store, self.wish) => plan?,
            () = self.stop.cancelled() => return Err(PlanError::Interrupted.into()),
        };
        let planned = Box::pin(self.follow(&plan, store)).await;
        plan.throw_away().await;
        let (planned, terms) = (planned?, forecast::terms(&self.app.config, store));
        let run = &planned.run;
        let lasted = run.started_at.zip(run.finished_at).and_then(|(start, end)| (end - start).to_std().ok());
        let calls = run.counts.calls.unsigned_abs();
        let held = overview::count_held(self.db, store).await?;
        let cost = if planned.cut_off {
            // What the whole run costs is known of what is held, at the most.
            terms.in_time(terms.run(run.kind, held, false).calls.max(calls))
        } else {
            terms.at_pace(calls, calls, lasted.unwrap_or_default())
        };
        Ok(Found { planned, cost, calls_per_minute: terms.calls_per_minute, held })
    }

    /// Carries the plan out and shows how far it is.
    async fn follow(&self, plan: &Plan, store: &Store) -> Result<Planned, CliError> {
        let run = plan.look().await?;
        let bar = self.progress.store(self.app, plan.copy(), store, &run, true).await?;
        let mut work = pin!(plan.carry_out(self.stop));
        loop {
            tokio::select! {
                biased;
                planned = &mut work => return Ok(planned?),
                () = tokio::time::sleep(LOOK) => {
                    bar.update(plan.copy(), &plan.look().await?, self.app.now()).await?;
                }
            }
        }
    }
}

impl Found {
    /// Prints the plan and gives the code it ends with.
    fn report(&self, store: &Store, wish: &Wish, as_json: bool) -> Exit {
        let Planned { run, cut_off, .. } = &self.planned;
        let exit = if *cut_off { Exit::Partial } else { Exit::of_run(run) };
        if as_json {
            say(self.object(&store.name, wish));
        } else if run.state == RunState::Succeeded || *cut_off {
            say(format_args!("{}: {}", store.name, self.in_words()));
        }
        match self.complaint(wish) {
            Some(complaint) if exit == Exit::Partial => complain(&format!("{}: {complaint}", store.name)),
            Some(complaint) => complain(&format!("error: {}: {complaint}", store.name)),
            None => {}
        }
        exit
    }

    /// What is not as it should be, and what to do next.
    fn complaint(&self, wish: &Wish) -> Option<String> {
        let Planned { run, cut_off, waiting, .. } = &self.planned;
        if *cut_off {
            let all = if self.held == 0 {
                "how many it takes is not known".to_owned()
            } else {
                format!("of {} products it takes about {}", number(self.held), number(self.cost.calls))
            };
            let mut open = Vec::new();
            for (count, what) in
                [(waiting.look, "to be fetched"), (waiting.missing, "not listed and to be asked for by ID")]
            {
                if count > 0 {
                    open.push(format!("; {} more products were {what}", number(count)));
                }
            }
            return Some(format!(
                "cut off after {} calls (--max-calls): what lies behind them is not known; {all}{}",
                number(wish.max_calls),
                open.concat()
            ));
        }
        let error = run.error.clone()?;
        // What was decided about the key holds for the copy that is gone.
        let unchanged = run.error_class == Some(ErrorClass::Unauthorized);
        Some(if unchanged { format!("{error}; this was a plan, so its state here is what it was") } else { error })
    }

    fn in_words(&self) -> String {
        let Planned { run, restored, held_back, cut_off, .. } = &self.planned;
        let counts = &run.counts;
        let least = if *cut_off { "at least " } else { "" };
        let back = if *restored > 0 { format!(" ({restored} of them restored)") } else { String::new() };
        let held = held_back.map_or(String::new(), |held| format!(", {held} removals held back"));
        let cost = if *cut_off {
            format!("{} calls made", number(counts.calls.unsigned_abs()))
        } else {
            format!("it takes {}", forecast::in_words(&self.cost, self.calls_per_minute))
        };
        let [inserted, updated, removed, quarantined, unchanged, seen] =
            [counts.inserted, counts.updated, counts.removed, counts.quarantined, counts.unchanged, counts.seen]
                .map(|count| number(count.unsigned_abs()));
        format!(
            "a {} run would be {}: {least}{inserted} inserts, {updated} updates{back}, {removed} removals{held}, \
             {quarantined} in quarantine, {unchanged} unchanged of {seen} seen; {cost}",
            run.kind,
            run.verdict.map_or("longer", Verdict::as_str),
        )
    }

    /// The plan as scripts read it: keyed as a run where the meaning is the same.
    fn object(&self, store: &str, wish: &Wish) -> Value {
        let Planned { run, restored, held_back, cut_off, waiting } = &self.planned;
        let mut object = run_json(store, run);
        object["run_id"] = Value::Null;
        if *cut_off {
            (object["state"], object["error_class"]) = (Value::Null, Value::Null);
        }
        object["error"] = json!(self.complaint(wish));
        object["plan"] = json!(true);
        object["restored"] = json!(restored);
        object["removals_held"] = json!(held_back.unwrap_or(0));
        object["cut_off"] = json!(cut_off);
        object["not_fetched"] = json!(waiting.look);
        object["not_asked_for"] = json!(waiting.missing);
        object["max_calls"] = json!(wish.max_calls);
        object["calls_per_minute"] = json!(self.calls_per_minute);
        let secs = self.cost.time.as_secs_f64();
        object["minutes"] = if *cut_off { Value::Null } else { json!((secs / 60.0 * 1000.0).ceil() / 1000.0) };
        object
    }
}
