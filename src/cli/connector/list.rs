//! `netosync connector list`.

use clap::Args;
use serde_json::{Value, json};

use super::view;
use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::text;
use crate::connector::described::{Entry, Registry};

/// List the connectors, with those that cannot be used because their file has a mistake.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print a JSON array, an object a connector.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(app: &App, args: &ListArgs) -> Exit {
    let registry = Registry::load(app.config.connectors.dir.as_deref());
    if let Some(trouble) = registry.trouble() {
        crate::cli::complain(&format!("{}; set connectors.dir", text::one_line(trouble)));
    }
    if args.json {
        let neto = json!({ "name": "neto", "title": "Neto", "origin": "built in", "ok": true });
        crate::cli::say(std::iter::once(neto).chain(registry.entries().map(object)).collect::<Value>());
        return Exit::Done;
    }
    let neto = ["neto", "ok", "products", "api-key, oauth, bearer", "built in"].map(str::to_owned);
    let rows = std::iter::once(neto).chain(registry.entries().map(row));
    crate::cli::say(text::table(["CONNECTOR", "STATE", "STREAMS", "WAYS IN", "FROM"], rows));
    for (_, entry) in registry.entries() {
        if let Err(wrong) = &entry.description {
            crate::cli::complain(&text::one_line(&wrong.to_string()));
        }
    }
    Exit::Done
}

fn from(entry: &Entry) -> String {
    let instead = if entry.replaces_built_in { " (instead of the built-in one)" } else { "" };
    format!("{}{instead}", entry.origin)
}

fn row((name, entry): (&str, &Entry)) -> [String; 5] {
    let (state, streams, schemes) = match &entry.description {
        Ok(description) => {
            let streams: Vec<_> = description.streams.iter().map(|stream| stream.name.as_str()).collect();
            ("ok", streams.join(", "), view::schemes(description).join(", "))
        }
        Err(_) => ("wrong", String::new(), String::new()),
    };
    [name.to_owned(), state.to_owned(), streams, schemes, from(entry)]
}

fn object((name, entry): (&str, &Entry)) -> Value {
    let mut object = json!({
        "name": name,
        "origin": entry.origin.to_string(),
        "replaces_built_in": entry.replaces_built_in,
        "ok": entry.description.is_ok(),
    });
    match &entry.description {
        Ok(description) => {
            object["title"] = json!(description.title);
            object["auth"] = json!(view::schemes(description));
            object["streams"] = description.streams.iter().map(|stream| stream.name.as_str()).collect();
        }
        Err(wrong) => object["error"] = json!(wrong.to_string()),
    }
    object
}
