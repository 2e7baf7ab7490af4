//! Shows what the database knows, for people who read a terminal.

use comfy_table::{Table, presets};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Column as _, Row as _};

use crate::cli::exit::CliError;
use crate::storage::changes::ChangeLine;
use crate::storage::{Database, Pools, StorageError};

/// The longest value shown whole.
const LONGEST: usize = 40;

/// A line of the change feed as `changed  SKU  column old → new, …`; a product that is new by its name.
pub fn change(line: &ChangeLine, name: &str) -> String {
    let mut what = Vec::new();
    let added = line.kind == "added";
    if added {
        what.push(printable(name));
    }
    for (field, change) in line.fields.as_ref().filter(|_| !added).and_then(Json::as_object).into_iter().flatten() {
        // Every edit moves the dates; they would hide what was edited.
        if !field.starts_with("date_updated") {
            differences(field, &change[0], &change[1], &mut what);
        }
    }
    let sku = printable(line.sku.as_deref().unwrap_or("?"));
    format!("{:<8} {sku:<12} {}", line.kind, what.join(", "))
}

/// Every value in which `old` and `new` differ; lists of the same length element by element.
fn differences(place: &str, old: &Json, new: &Json, what: &mut Vec<String>) {
    match (old, new) {
        (Json::Array(old), Json::Array(new)) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
                differences(&format!("{place}[{number}]"), old, new, what);
            }
        }
        (Json::Array(old), Json::Array(new)) => what.push(format!("{place} {} → {} rows", old.len(), new.len())),
        (Json::Object(old), Json::Object(new)) => {
            for (name, new) in new.iter().filter(|(name, new)| old.get(*name) != Some(new)) {
                differences(&format!("{place}.{name}"), old.get(name).unwrap_or(&Json::Null), new, what);
            }
        }
        _ => what.push(format!("{place} {} → {}", value(old), value(new))),
    }
}

fn value(value: &Json) -> String {
    let text = match value {
        Json::Null => "nothing".to_owned(),
        Json::String(text) => printable(text),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Text of a store without anything that would steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

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

/// The name of a product in the demo's only store.
pub async fn name(db: &Database, inventory_id: i64) -> Result<String, CliError> {
    let Pools::Sqlite(pool) = db.pools() else { unreachable!("the demo's database is a file") };
    let name = sqlx::query_scalar("/* name */ SELECT name FROM products WHERE inventory_id = $1").bind(inventory_id);
    let name: Option<Option<String>> = name.fetch_optional(pool).await.map_err(StorageError::sql("read a name"))?;
    Ok(name.flatten().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_every_column_with_its_old_and_new_value() {
        let line = ChangeLine {
            seq: 1,
            inventory_id: 7,
            sku: Some("AB-1".into()),
            kind: "changed".into(),
            fields: Some(json!({
                "date_updated": ["a", "b"],
                "default_price": ["1.50", "2.00"],
                "product_images": [[1, 2], [1]],
                "product_stock": [[{"warehouse_id": 1, "quantity": "5"}], [{"warehouse_id": 1, "quantity": "29"}]],
                "subtitle": [null, "x\u{1b}[31m".to_owned() + &"y".repeat(99)],
            })),
        };
        let subtitle = format!("x [31m{}…", "y".repeat(33));
        assert_eq!(
            change(&line, "Kettle"),
            format!(
                "changed  AB-1         default_price 1.50 → 2.00, product_images 2 → 1 rows, \
                 product_stock[0].quantity 5 → 29, subtitle nothing → {subtitle}"
            )
        );
        let added = ChangeLine { kind: "added".into(), fields: None, ..line };
        assert_eq!(change(&added, "Kettle"), "added    AB-1         Kettle");
    }
}
