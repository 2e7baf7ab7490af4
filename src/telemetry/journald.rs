//! Lines for systemd's journal, which takes them from stderr: it adds the time, and reads the priority from the line's beginning
//! (`<4>`, see sd-daemon(3)), so that `journalctl -p warning` finds what it should. No socket and no library of its own: the
//! same bytes work in a container, through a pipe and in a test.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes an event as one line with its priority.
#[derive(Debug)]
pub(super) struct Journald(Format<Compact, ()>);

impl Default for Journald {
    fn default() -> Self {
        Self(Format::default().compact().without_time().with_level(false).with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journald
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        // A second line would be an entry of its own, without priority, or with one that a store has chosen.
        let line = text.trim_end().replace(['\n', '\r'], " ");
        writeln!(writer, "<{}>{line}", priority(*event.metadata().level()))
    }
}

/// The priority of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
