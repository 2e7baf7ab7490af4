//! The log: lines for people, for systemd's journal, or JSON, on stderr, without secrets whatever the filter.
//!
//! Libraries log request headers and bodies (hyper, h2, reqwest), handshakes (rustls) and whole statements (sqlx,
//! SeaORM) once somebody asks for `trace`, and a library added later may do the same. So the rule is not a list of
//! libraries: **only events of this program may be more detailed than `warn`**. The filter decides within that bound
//! and cannot widen it. Our own events hold no secret because [`crate::domain::secret::Secret`] has no text form.

mod journald;

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::{Log, LogFormat};

/// Crates whose events are ours.
const OURS: [&str; 2] = ["netosync", "migration"];

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one; the configuration has checked it before.
    #[error("log.filter: {0}")]
    Filter(String),
    /// There is a log already.
    #[error("the log is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
    /// The log whose filter is to be changed is not in use any more.
    #[error("the filter of the log cannot be changed: {0}")]
    Gone(#[source] reload::Error),
}

/// Changes the filter of a log that is in use.
#[derive(Clone, Debug)]
pub struct Filter(reload::Handle<EnvFilter, Registry>);

impl Filter {
    /// Filters by `text` from now on, within the bound that holds for every filter.
    pub fn set(&self, text: &str) -> Result<(), TelemetryError> {
        self.0.reload(filter(text).map_err(TelemetryError::Filter)?).map_err(TelemetryError::Gone)
    }
}

/// Sets up the log of the process. `NETOSYNC__LOG__FILTER` has already overridden the file in `log`.
pub fn init(log: &Log) -> Result<Filter, TelemetryError> {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (subscriber, filter) = subscriber(log, colours, std::io::stderr)?;
    subscriber.try_init().map_err(TelemetryError::Twice)?;
    Ok(filter)
}

/// The log as `log` wants it, written to `writer`, and what changes its filter.
pub fn subscriber<W>(
    log: &Log,
    colours: bool,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync + use<W>, Filter), TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(&log.filter).map_err(TelemetryError::Filter)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let layer = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Journald => lines.with_ansi(false).event_format(journald::Journald::default()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    Ok((Registry::default().with(layer.with_filter(filter.and(filter_fn(may_be_logged)))), Filter(handle)))
}

/// Checks the text of a filter; the error is the rule it breaks.
pub fn check_filter(text: &str) -> Result<(), String> {
    filter(text).map(drop)
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|error| format!("must be a log filter such as info or info,netosync=debug: {error}"))
}

/// The bound no filter can widen, see the module's documentation.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    OURS.contains(&crate_name) || *metadata.level() <= Level::WARN
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, events: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let log = Log { format, filter: filter.to_owned() };
        let (subscriber, _) = subscriber(&log, false, move || writer.clone()).expect("a log");
        tracing::subscriber::with_default(subscriber, events);
        buffer.text()
    }

    #[test]
    fn a_filter_can_be_changed_while_the_log_is_in_use_and_widens_no_library() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let log = Log { format: LogFormat::Text, filter: "warn".to_owned() };
        let (subscriber, filter) = subscriber(&log, false, move || writer.clone()).expect("a log");
        let events = |about: &str| {
            tracing::debug!(target: "netosync::sync", "ours {about}");
            tracing::debug!(target: "hyper::proto", "canary {about}");
        };
        tracing::subscriber::with_default(subscriber, || {
            events("before");
            filter.set("trace").expect("the log is in use");
            events("between");
            assert!(filter.set("netosync=loud").is_err());
            events("after a mistake");
            filter.set("error").expect("the log is in use");
            events("at the end");
        });
        let text = buffer.text();
        let said: Vec<_> = ["before", "between", "after a mistake", "at the end"].map(|a| text.contains(a)).into();
        assert_eq!((said, text.contains("canary")), (vec![false, true, true, false], false), "{text}");
    }

    #[test]
    fn no_filter_makes_a_library_log_details() {
        for filter in ["trace", "hyper=trace,sqlx=trace,trace", "warn,hyper::proto=debug,sqlx::query=info,rustls=trace"]
        {
            let text = logged(LogFormat::Text, filter, || {
                let span = tracing::trace_span!(target: "sea_orm::driver", "query", sql = "canary-span");
                let _inside = span.enter();
                tracing::trace!(target: "hyper::proto::h1", "NETOAPI_KEY: canary-1");
                tracing::debug!(target: "reqwest::connect", "canary-2");
                tracing::debug!(target: "h2::codec", "canary-3");
                tracing::trace!(target: "rustls::client", "canary-4");
                tracing::info!(target: "sqlx::query", "insert canary-5");
                tracing::info!(target: "netosyncish", "canary-6");
                tracing::info!(target: "log", "canary-7");
                tracing::warn!(target: "sqlx::pool", "slow");
            });
            assert!(!text.contains("canary") && text.contains("slow"), "{filter}: {text}");
        }
    }

    #[test]
    fn the_filter_decides_about_our_own_events() {
        let events = || {
            tracing::debug!(target: "netosync::transport", "a detail");
            tracing::info!(target: "netosync::sync", "a step");
        };
        let text = logged(LogFormat::Text, "info", events);
        assert!(text.contains("a step") && !text.contains("a detail"), "{text}");
        let text = logged(LogFormat::Text, "warn,netosync::transport=debug", events);
        assert!(text.contains("a detail") && !text.contains("a step"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_at_the_top() {
        let text = logged(LogFormat::Json, "info", || {
            tracing::info!(store.id = 7, "run\nstarted");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).expect("one object");
        assert_eq!((&line["store.id"], &line["message"]), (&7.into(), &"run\nstarted".into()));
    }

    #[test]
    fn the_journal_gets_a_line_an_event_with_its_priority_and_without_a_time() {
        let text = logged(LogFormat::Journald, "trace", || {
            let run = tracing::info_span!(target: "netosync::sync", "run", store.id = 7);
            let _inside = run.enter();
            tracing::error!(target: "netosync::sync", "it broke");
            tracing::warn!(target: "netosync::sync", said = "a\n<0>forged\r\n", "odd\n<0>line");
            tracing::info!(target: "netosync::sync", pages = 3, "done");
            tracing::debug!(target: "netosync::sync", "a detail");
            tracing::trace!(target: "netosync::sync", "a grain");
        });
        let lines: Vec<_> = text.lines().collect();
        let begins: Vec<_> = lines.iter().map(|line| line.get(..3).unwrap_or(line)).collect();
        assert_eq!(begins, ["<3>", "<4>", "<6>", "<7>", "<7>"], "{text}");
        assert_eq!(lines[2], "<6>run: netosync::sync: done pages=3 store.id=7");
        assert!(lines[1].contains("odd <0>line"), "{text}");
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        assert!(check_filter("netosync=loud").is_err());
        assert!(check_filter("info,netosync::transport=debug").is_ok());
    }
}
