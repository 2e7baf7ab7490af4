//! Everything a database holds, to show that nothing was written.

use std::collections::BTreeMap;

use netosync::storage::{Database, Pools, dictionary};
use sqlx::AssertSqlSafe;

/// The rows of every table, each as text, in an order of their own.
pub async fn dump(db: &Database) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in dictionary::tables() {
        let rows: Vec<String> = match db.pools() {
            Pools::Postgres(pool) => {
                let sql = format!("SELECT CAST(t AS TEXT) FROM \"{}\" t ORDER BY 1", table.name);
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.expect(table.name)
            }
            Pools::Sqlite(pool) => {
                let columns: Vec<_> =
                    table.columns.iter().map(|column| format!("quote(\"{}\")", column.name)).collect();
                let sql = format!("SELECT {} FROM \"{}\" ORDER BY 1", columns.join(" || ', ' || "), table.name);
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.expect(table.name)
            }
        };
        all.insert(table.name, rows);
    }
    assert!(all["stores"].iter().any(|row| row.contains("http")), "the dump sees what is there");
    all
}
