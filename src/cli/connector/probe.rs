//! `netosync connector try`: the first rows of each stream, as a run would take them. Writes nothing.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::view;
use crate::cli::app::App;
use crate::cli::caller::Caller;
use crate::cli::exit::{CliError, Exit};
use crate::cli::text;
use crate::connector::described::{Description, Page, Position, Registry, Stream, present, read_file};
use crate::domain::error::RemoteError;
use crate::domain::store::Store;
use crate::storage::stores;
use crate::sync::api::Described;

/// Make the first call of each stream with a store's credential and show what comes of it.
///
/// Writes nothing: no row, no cursor, no judgement of the key. (A token that has ended is renewed and kept, as always.) Says
/// where the list would go on. Ends as `store check` does when a stream cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    netosync connector try mine.toml --store crm\n  \
    netosync connector try netexplorer --store files --stream users --rows 20 --json")]
pub struct TryArgs {
    /// A file, or the name of a connector.
    #[arg(value_name = "FILE|NAME")]
    connector: String,
    /// The store whose address and credential are used.
    #[arg(long)]
    store: String,
    /// This stream only.
    #[arg(long)]
    stream: Option<String>,
    /// Rows of each stream to show.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rows: usize,
    /// Print a JSON array, an object a stream.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(app: &App, args: &TryArgs) -> Result<Exit, CliError> {
    let description = describe(app, &args.connector)?;
    let streams = chosen(&description, args.stream.as_deref())?;
    let db = app.database().await?;
    let store = stores::find_store(&db, &args.store).await?;
    let mut caller = Caller::new(app, &db, &store, description.calls_per_minute).await?;
    let api = Described::of(&description, &store, &caller.credential)
        .map_err(|error| CliError::new(Exit::Configuration, sentence(&error)))?;
    let (mut exit, mut shown) = (Exit::Done, Vec::new());
    for stream in streams {
        let read = caller.make(async |caller| first_page(api, &store, stream, caller).await).await?;
        if caller.is_stopped() {
            return Err(CliError::new(Exit::Interrupted, "interrupted; nothing was changed"));
        }
        if let Err(error) = &read {
            exit = if exit == Exit::Done { Exit::of_class(error.class) } else { exit };
        }
        if args.json {
            shown.push(object(stream, &read, args.rows));
        } else {
            tell(stream, &read, args.rows);
        }
    }
    if args.json {
        crate::cli::say(Value::from(shown));
    }
    Ok(exit)
}

/// The description in a file, or of that name.
fn describe(app: &App, connector: &str) -> Result<Description, CliError> {
    let refuse = |problem: String| CliError::new(Exit::Configuration, text::one_line(&problem));
    let path = Path::new(connector);
    if path.extension().is_some_and(|extension| extension == "toml") || path.is_file() {
        return read_file(path).map_err(|wrong| refuse(wrong.to_string()));
    }
    let registry = Registry::load(app.config.connectors.dir.as_deref());
    registry.get(connector).cloned().map_err(|error| refuse(error.to_string()))
}

fn chosen<'d>(description: &'d Description, only: Option<&str>) -> Result<Vec<&'d Stream>, CliError> {
    let Some(name) = only else { return Ok(description.streams.iter().collect()) };
    let stream = description.stream(name).ok_or_else(|| {
        let known: Vec<_> = description.streams.iter().map(|stream| stream.name.as_str()).collect();
        CliError::usage(format!("connector {} has no stream {name}; it has {}", description.name, known.join(", ")))
    })?;
    Ok(vec![stream])
}

/// What the first call of a stream brought.
struct First {
    /// How it was asked for.
    call: String,
    page: Page,
}

async fn first_page(
    api: Described<'_>,
    store: &Store,
    stream: &Stream,
    caller: &Caller<'_>,
) -> Result<First, RemoteError> {
    let mut position = Position::start(None);
    loop {
        let ask = stream.ask(api.description, &store.url, &position)?;
        let call = format!("{} {}", view::method(ask.method), ask.url);
        let request = present(api.auth, &caller.credential, ask)?;
        let decode = |answer| stream.page(api.description, &store.url, &position, &answer);
        let page = caller.send(&request, decode).await?;
        match page.next {
            // The path is not there, and another one is.
            Some(next) if next.is_start() => position = next,
            next => return Ok(First { call, page: Page { next, ..page } }),
        }
    }
}

fn tell(stream: &Stream, read: &Result<First, RemoteError>, rows: usize) {
    let First { call, page } = match read {
        Ok(first) => first,
        Err(error) => {
            crate::cli::say(format_args!("{}: {}\n", stream.name, text::one_line(&sentence(error))));
            return;
        }
    };
    let total = page.total.map_or(String::new(), |total| format!(" of {total}"));
    crate::cli::say(format_args!("{}: {} · {}{total} records", stream.name, text::one_line(call), page.records.len()));
    let shown = page.records.iter().take(rows).map(|record| {
        let mark = record.mark.map_or(String::new(), |mark| {
            stream.cursor.as_ref().map_or(String::new(), |cursor| cursor.format.write(mark))
        });
        [text::one_line(&record.key), mark, clipped(&record.data)]
    });
    if rows > 0 && !page.records.is_empty() {
        crate::cli::say(text::table(["KEY", "CURSOR", "DATA"], shown));
    }
    for bad in page.bad.iter().take(rows) {
        crate::cli::say(format_args!("no record, because {}", text::one_line(&bad.reason)));
    }
    if let Some(doubt) = &page.doubt {
        crate::cli::say(format_args!("unsure: {}", text::one_line(doubt)));
    }
    crate::cli::say(format_args!("next: {}\n", page.next.as_ref().map_or("the end".to_owned(), in_words)));
}

/// Where a list goes on: "page 2".
fn in_words(position: &Position) -> String {
    match place(position) {
        Value::Object(place) => {
            let told = place
                .iter()
                .map(|(style, at)| format!("{style} {}", at.as_str().map_or(at.to_string(), str::to_owned)));
            text::one_line(&told.collect::<Vec<_>>().join(" "))
        }
        other => text::one_line(&other.to_string()),
    }
}

fn place(position: &Position) -> Value {
    serde_json::to_value(position).map(|mut position| position["place"].take()).unwrap_or_default()
}

/// A record on one line of a terminal.
fn clipped(data: &str) -> String {
    const LONGEST: usize = 120;
    let text = text::one_line(data);
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST - 1).chain(['…']).collect() }
}

fn object(stream: &Stream, read: &Result<First, RemoteError>, rows: usize) -> Value {
    let First { call, page } = match read {
        Ok(first) => first,
        Err(error) => {
            return json!({ "stream": stream.name, "ok": false, "error_class": error.class, "error": sentence(error) });
        }
    };
    let record = |record: &crate::connector::described::Record| json!({ "key": record.key, "cursor": record.mark, "data": serde_json::from_str::<Value>(&record.data).unwrap_or_default() });
    json!({
        "stream": stream.name,
        "ok": true,
        "call": call,
        "records": page.records.iter().take(rows).map(record).collect::<Vec<_>>(),
        "came": page.records.len(),
        "bad": page.bad.iter().take(rows).map(|bad| &bad.reason).collect::<Vec<_>>(),
        "total": page.total,
        "doubt": page.doubt,
        "next": page.next.as_ref().map(place),
    })
}

fn sentence(error: &RemoteError) -> String {
    match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}
