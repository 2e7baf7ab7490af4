//! Counts every row of the mirror that is written: a trigger on each table notes it.

use netosync::domain::catalogue::CHILDREN;
use netosync::storage::{Database, Engine};

use super::mirrored::{execute, texts};

/// Notes from now on which tables are written, row by row.
pub async fn begin(db: &Database) {
    execute(db, "CREATE TABLE watched (written text)").await;
    if db.engine() == Engine::Postgres {
        let note = "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO watched VALUES (TG_TABLE_NAME); RETURN NULL; END $$";
        execute(db, note).await;
    }
    let children = CHILDREN.iter().map(|table| table.name);
    for table in ["products", "product_texts", "product_change_lines", "quarantine"].into_iter().chain(children) {
        match db.engine() {
            Engine::Postgres => {
                let trigger = format!(
                    "CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON {table} \
                     FOR EACH ROW EXECUTE FUNCTION note()"
                );
                execute(db, &trigger).await;
            }
            Engine::Sqlite => {
                for event in ["INSERT", "UPDATE", "DELETE"] {
                    let trigger = format!(
                        "CREATE TRIGGER watch_{table}_{event} AFTER {event} ON {table} \
                         BEGIN INSERT INTO watched VALUES ('{table}'); END"
                    );
                    execute(db, &trigger).await;
                }
            }
        }
    }
}

/// The tables that were written since, a line a row.
pub async fn written(db: &Database) -> Vec<String> {
    let rows = texts(db, "SELECT written FROM watched").await;
    rows.into_iter().map(|row| row[0].clone().expect("a table")).collect()
}
