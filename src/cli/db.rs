//! `netosync db`: the tables: bringing them up to date, their state, and what they mean.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::app::App;
use super::exit::{CliError, Exit};
use crate::storage::dictionary::{self, TableDoc};
use crate::storage::prune::{self, Cutoffs, Pruned};
use crate::storage::schema::{self, SchemaStatus};
use crate::storage::{Engine, StorageError};

/// Make, look at and explain the tables.
#[derive(Debug, Args)]
pub struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Apply this program's pending migrations, all or none.
    ///
    /// Needed after an upgrade that says so. An empty database is migrated by whatever command uses it first. Take a
    /// backup before.
    Migrate,
    /// Show which database it is and which migrations it has.
    ///
    /// Writes nothing. Ends with 4 when this program would refuse the database.
    Status {
        /// One JSON object on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Explain every table and column. Needs no database.
    Schema {
        /// Only this table.
        #[arg(value_name = "TABLE")]
        table: Option<String>,
        /// A JSON array on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Forget old runs and old lines of the change feed, as [retention] of the configuration says.
    ///
    /// A running `netosync run` does it by itself once a day. Unfinished runs stay, and of each store and kind the newest run and
    /// the last one that succeeded.
    Prune {
        /// Only say how much it would be.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs the command.
pub async fn run(app: &App, args: &DbArgs) -> Result<Exit, CliError> {
    match &args.command {
        DbCommand::Migrate => migrate(app).await,
        DbCommand::Status { json } => status(app, *json).await,
        DbCommand::Schema { table, json } => explain(app, table.as_deref(), *json),
        DbCommand::Prune { dry_run } => prune(app, *dry_run).await,
    }
}

async fn migrate(app: &App) -> Result<Exit, CliError> {
    let db = app.database_as_it_is().await?;
    let applied = schema::migrate(&db).await?;
    for migration in &applied {
        super::say(format_args!("applied {migration}"));
    }
    let done = match applied.len() {
        0 => "nothing to do".to_owned(),
        count => format!("{count} migrations were applied"),
    };
    super::say(format_args!("{} is up to date; {done}", db.target()));
    db.close().await;
    Ok(Exit::Done)
}

async fn prune(app: &App, dry_run: bool) -> Result<Exit, CliError> {
    let db = app.database().await?;
    let cutoffs = Cutoffs::of(&app.config.retention, app.now());
    let mut all = Pruned::default();
    if dry_run {
        all = prune::count(&db, &cutoffs).await?;
    } else {
        loop {
            let batch = prune::batch(&db, &cutoffs).await?;
            if batch == Pruned::default() {
                break;
            }
            all += batch;
        }
    }
    let verb = if dry_run { "would forget" } else { "forgot" };
    let Pruned { runs, quarantine, changes } = all;
    super::say(format_args!(
        "{verb} {runs} runs, {quarantine} replayed records of the quarantine and {changes} lines of the change feed"
    ));
    db.close().await;
    Ok(Exit::Done)
}

async fn status(app: &App, as_json: bool) -> Result<Exit, CliError> {
    let engine = app.engine();
    let (target, status) = match app.database_if_it_exists().await? {
        Some(db) => {
            let status = schema::status(&db).await?;
            let target = db.target().to_owned();
            db.close().await;
            (target, status)
        }
        None => (app.database_file(), schema::status_of_nothing()),
    };
    let verdict = verdict(&status);
    let (exit, next) = match &verdict {
        Ok(next) => (Exit::Done, (*next).to_owned()),
        Err(error) => (Exit::Database, error.to_string()),
    };
    if as_json {
        let SchemaStatus { applied, pending, unknown } = status;
        let up_to_date = verdict.is_ok();
        super::say(json!({
            "engine": engine.as_str(), "target": target, "usable": up_to_date,
            "applied": applied, "pending": pending, "unknown": unknown,
        }));
        return Ok(exit);
    }
    let mut lines = vec![format!("engine   {}", engine.title()), format!("target   {target}")];
    for (word, migrations) in [("applied", &status.applied), ("pending", &status.pending), ("unknown", &status.unknown)]
    {
        lines.push(format!("{word:8} {}", migrations.len()));
        lines.extend(migrations.iter().map(|migration| format!("         {migration}")));
    }
    lines.push(next);
    super::say(lines.join("\n"));
    Ok(exit)
}

/// What this program would say to a database of that state: what comes next, or why it refuses it.
pub fn verdict(status: &SchemaStatus) -> Result<&'static str, StorageError> {
    if !status.unknown.is_empty() {
        return Err(StorageError::SchemaTooNew { unknown: status.unknown.clone() });
    }
    match (status.is_empty(), status.pending.is_empty()) {
        (true, _) => Ok("there are no tables yet; the first command that needs them makes them"),
        (false, true) => Ok("up to date"),
        (false, false) => Err(StorageError::MigrationsPending { pending: status.pending.clone() }),
    }
}

fn explain(app: &App, table: Option<&str>, as_json: bool) -> Result<Exit, CliError> {
    let mut tables = dictionary::tables();
    if let Some(name) = table {
        let names: Vec<_> = tables.iter().map(|table| table.name).collect();
        let unknown = || CliError::usage(format!("there is no table {name}; there are {}", names.join(", ")));
        let at = names.iter().position(|known| *known == name).ok_or_else(unknown)?;
        tables = vec![tables.swap_remove(at)];
    }
    if as_json {
        let engine = app.engine();
        super::say(tables.iter().map(|table| table_json(table, engine)).collect::<Value>());
    } else {
        for table in tables {
            super::say(table);
        }
    }
    Ok(Exit::Done)
}

/// A table as scripts read it; `sql_type` is that of the configured engine.
fn table_json(table: &TableDoc, engine: Engine) -> Value {
    let columns = table.columns.iter().map(|column| {
        json!({
            "name": column.name,
            "type": column.kind.to_string(),
            "sql_type": column.kind.sql_type(engine),
            "meaning": column.doc,
        })
    });
    json!({ "table": table.name, "meaning": table.doc, "key": table.key, "columns": columns.collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_refused_when_it_is_older_or_newer_than_the_program_but_not_when_it_is_empty() {
        let status = |applied: &[&str], pending: &[&str], unknown: &[&str]| {
            let [applied, pending, unknown] =
                [applied, pending, unknown].map(|names| names.iter().map(ToString::to_string).collect());
            SchemaStatus { applied, pending, unknown }
        };
        assert!(verdict(&status(&[], &["a", "b"], &[])).is_ok());
        assert!(verdict(&status(&["a", "b"], &[], &[])).is_ok());
        assert!(matches!(verdict(&status(&["a"], &["b"], &[])), Err(StorageError::MigrationsPending { .. })));
        assert!(matches!(verdict(&status(&["a", "b"], &[], &["c"])), Err(StorageError::SchemaTooNew { .. })));
        assert!(matches!(verdict(&status(&[], &["a"], &["c"])), Err(StorageError::SchemaTooNew { .. })));
    }
}
