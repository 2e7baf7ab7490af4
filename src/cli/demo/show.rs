//! Shows what the database knows, for people who read a terminal.

use comfy_table::{Table, presets};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Column as _, Row as _};

use crate::cli::change_text::value;
use crate::cli::exit::CliError;
use crate::storage::{Database, Pools, StorageError};

/// The result of a query on an SQLite database, as the `sqlite3` shell would show it. Its columns are numbers and
/// text.
pub async fn result(db: &Database, sql: &str) -> Result<String, CliError> {
    let Pools::Sqlite(pool) = db.pools() else { unreachable!("the demo's database is a file") };
    let failed = StorageError::sql("run the example");
    let rows = sqlx::query(AssertSqlSafe(format!("/* result */ {sql}"))).fetch_all(pool).await.map_err(failed)?;
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    if let Some(first) = rows.first() {
        table.set_header(first.columns().iter().map(|column| column.name().to_owned()));
    }
    for row in &rows {
        // SQLite turns anything into text.
        let cell = |at| row.try_get_unchecked::<Option<String>, _>(at).ok().flatten().unwrap_or_default();
        table.add_row((0..row.len()).map(|at| value(&Json::String(cell(at)))));
    }
    Ok(if rows.is_empty() { "(no row)".to_owned() } else { table.to_string() })
}
