//! Lets a line of the feed that says that a product was added leave out what the product's own rows say: two thirds of all bytes of a
//! first load were the same values a second time. `product_changes` becomes a view of `product_change_lines`, which tells such a line
//! by the rows; before these are changed for the first time, the line is written out.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns::{Make, numeric};
use crate::m20261121_000005_create_products::COLUMNS as PRODUCT;
use crate::m20261121_000006_create_product_texts::COLUMNS as TEXTS;
use crate::m20261121_000007_create_product_children::TABLES as CHILDREN;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Lines that are told by the rows of their product.
const LEFT_OUT: &str = "kind = 'added' AND fields IS NULL";

/// Who was allowed to read the table may read the view.
const POSTGRES_GRANTS: &str = "DO $$ DECLARE reader text; BEGIN \
     FOR reader IN SELECT CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(granted.grantee)) END \
     FROM pg_class lines, aclexplode(lines.relacl) granted WHERE lines.oid = 'product_change_lines'::regclass \
     AND granted.privilege_type = 'SELECT' AND granted.grantee <> lines.relowner \
     LOOP EXECUTE 'GRANT SELECT ON product_changes TO ' || reader; END LOOP; END $$";
/// As a table is pruned by hand, the view may be; PostgreSQL sees by itself what that means.
const SQLITE_DELETE: &str = "CREATE TRIGGER product_changes_delete INSTEAD OF DELETE ON product_changes BEGIN \
     DELETE FROM product_change_lines WHERE store_id = OLD.store_id AND seq = OLD.seq; END";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let spelling = Spelling::of(manager);
        all(manager, &["ALTER TABLE product_changes RENAME TO product_change_lines"]).await?;
        match spelling {
            Spelling::Postgres => {
                let rename = "ALTER INDEX product_changes_pkey RENAME TO product_change_lines_pkey";
                all(manager, &[rename, &view(spelling), POSTGRES_GRANTS]).await?;
            }
            Spelling::Sqlite => all(manager, &[&view(spelling), SQLITE_DELETE]).await?,
        }
        let columns = "ON product_change_lines (store_id, inventory_id)";
        all(manager, &[&format!("CREATE INDEX product_change_lines_left_out {columns} WHERE {LEFT_OUT}")]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let write_out = format!(
            "UPDATE product_change_lines AS line SET fields = (SELECT told.fields FROM product_changes told \
             WHERE told.store_id = line.store_id AND told.seq = line.seq) WHERE {LEFT_OUT}"
        );
        all(manager, &[&write_out, "DROP INDEX product_change_lines_left_out", "DROP VIEW product_changes"]).await?;
        all(manager, &["ALTER TABLE product_change_lines RENAME TO product_changes"]).await?;
        match Spelling::of(manager) {
            Spelling::Postgres => {
                all(manager, &["ALTER INDEX product_change_lines_pkey RENAME TO product_changes_pkey"]).await
            }
            Spelling::Sqlite => Ok(()),
        }
    }
}

async fn all(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Columns in one object: functions take 100 arguments at most.
const AT_ONCE: usize = 50;

/// The feed with every line written out. Every connection to `SQLite` reads this, so it is short: columns are only named, and what has to
/// be done with their values stands once for all of them.
fn view(spelling: Spelling) -> String {
    let own = [("products", PRODUCT), ("product_texts", TEXTS)];
    let own = own.into_iter().flat_map(|(table, columns)| columns.chunks(AT_ONCE).map(move |some| (table, some)));
    let own = own.map(|(table, columns)| values(table, "", &[], columns, spelling));
    let lists = CHILDREN.iter().map(|(table, key, columns)| values(table, table, &columns[..*key], columns, spelling));
    let values = own.chain(lists).collect::<Vec<_>>().join(" UNION ALL ");
    let (there, value, join, json) = (spelling.there(), spelling.value(), spelling.join(), spelling.json());
    format!(
        "CREATE VIEW product_changes AS \
         SELECT line.store_id, line.seq, line.inventory_id, line.sku, line.kind, \
         CASE WHEN line.kind = 'added' AND line.fields IS NULL AND EXISTS (SELECT 1 FROM products one WHERE {OF_PRODUCT}) \
         THEN CAST((SELECT '{{' || COALESCE({join}(told, ','), '') || '}}' FROM (\
         SELECT CASE list WHEN '' THEN {join}(told, ',') ELSE '\"' || list || '\":[[],[' || {join}('{{' || told || '}}', ',') || ']]' END AS told \
         FROM (SELECT list, word, first, second, {join}('\"' || key || '\":' || CASE list WHEN '' THEN '[null,' ELSE '' END || {value} || \
         CASE list WHEN '' THEN ']' ELSE '' END, ',') AS told FROM ({values}) cells WHERE {there} \
         GROUP BY list, word, first, second ORDER BY list, word, first, second) places GROUP BY list) members) \
         AS {json}) ELSE line.fields END AS fields, line.run_id, line.at FROM product_change_lines line"
    )
}

/// The rows `one` of the product that the line is about.
const OF_PRODUCT: &str = "one.store_id = line.store_id AND one.inventory_id = line.inventory_id";

/// A row for each value in some columns of a table, with the list it is in (none if these are the product's own), its
/// place in there (a word and two numbers), and its name.
fn values(
    table: &str,
    list: &str,
    key: &[(Make, &'static str)],
    columns: &[(Make, &'static str)],
    spelling: Spelling,
) -> String {
    let kind = |make: &Make| make("").get_column_type().expect("made with a type").clone();
    let place = |name: &str| format!("one.\"{name}\"");
    let (words, mut numbers): (Vec<_>, Vec<_>) = key.iter().partition(|(make, _)| kind(make) == ColumnType::Text);
    let word = words.first().map_or("''".to_owned(), |(_, name)| format!("{}{}", place(name), spelling.by_bytes()));
    let mut number = || if numbers.is_empty() { "0".to_owned() } else { place(numbers.remove(0).1) };
    let (first, second) = (number(), number());
    let cells = columns.iter().map(|(make, name)| format!("'{name}', {}", spelling.cell(&place(name), &kind(make))));
    let each = spelling.each(&cells.collect::<Vec<_>>().join(", "));
    format!(
        "SELECT '{list}' AS list, {word} AS word, {first} AS first, {second} AS second, told.key, told.value \
         FROM {table} one, {each} told WHERE {OF_PRODUCT}"
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Postgres,
    Sqlite,
}

impl Spelling {
    fn of(manager: &SchemaManager<'_>) -> Self {
        match manager.get_database_backend() {
            DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    fn json(self) -> &'static str {
        if self == Self::Postgres { "json" } else { "text" }
    }

    fn join(self) -> &'static str {
        if self == Self::Postgres { "string_agg" } else { "group_concat" }
    }

    fn by_bytes(self) -> &'static str {
        if self == Self::Postgres { " COLLATE \"C\"" } else { "" }
    }

    /// A row with `key` and `value` for each of the cells.
    fn each(self, cells: &str) -> String {
        match self {
            Self::Postgres => format!("json_each(json_build_object({cells}))"),
            Self::Sqlite => format!("json_each(json_object({cells}))"),
        }
    }

    /// Whether `value` is not NULL.
    fn there(self) -> &'static str {
        if self == Self::Postgres { "CAST(value AS text) <> 'null'" } else { "value IS NOT NULL" }
    }

    /// What JSON is made of. On PostgreSQL it is spelled as the program does already.
    fn cell(self, place: &str, kind: &ColumnType) -> String {
        let moment = "YYYY-MM-DD\"T\"HH24:MI:SS";
        match (self, kind) {
            (Self::Postgres, ColumnType::Custom(_)) => format!("CAST(trim_scale({place}) AS text)"),
            (Self::Postgres, ColumnType::JsonBinary) => format!("CAST({place} AS text)"),
            (Self::Postgres, ColumnType::Date) => format!("to_char({place}, 'YYYY-MM-DD')"),
            (Self::Postgres, ColumnType::DateTime) => format!("to_char({place}, '{moment}') || {}", fraction(place)),
            (Self::Postgres, ColumnType::TimestampWithTimeZone) => {
                let place = format!("({place} AT TIME ZONE 'UTC')");
                format!("to_char({place}, '{moment}') || {} || '+00:00'", fraction(&place))
            }
            _ => place.to_owned(),
        }
    }

    /// `value` as JSON.
    fn value(self) -> String {
        if self == Self::Postgres {
            return "CAST(value AS text)".to_owned();
        }
        let columns = || PRODUCT.iter().chain(CHILDREN.iter().flat_map(|(_, _, columns)| *columns));
        let named = |kind: ColumnType| {
            let names = columns().filter(|(make, _)| *make("").get_column_type().expect("made with a type") == kind);
            let mut names: Vec<_> = names.map(|(_, name)| format!("'{name}'")).collect();
            names.sort_unstable();
            names.dedup();
            names.join(", ")
        };
        let decimal = numeric("").get_column_type().expect("made with a type").clone();
        format!(
            "CASE WHEN key IN ({}) THEN CASE WHEN value THEN 'true' ELSE 'false' END \
             WHEN key IN ({}) THEN '\"' || {DECIMAL} || '\"' ELSE json_quote(value) END",
            named(ColumnType::Boolean),
            named(decimal)
        )
    }
}

/// `SQLite`: `value` as digits, 15 of which count. It would write very small and very large ones with an exponent.
const DECIMAL: &str = "CASE WHEN instr(value, 'e-') THEN rtrim(printf('%.*f', 14 - substr(value, instr(value, 'e') + 1), value), '0') \
     WHEN instr(value, 'e+') THEN substr(replace(substr(value, 1, instr(value, 'e') - 1), '.', '') \
     || printf('%.*c', substr(value, instr(value, 'e') + 1), '0'), 1, substr(value, instr(value, 'e') + 1) + 1 + (value < 0)) \
     ELSE value END";

/// PostgreSQL: what is behind the seconds, with none, three or six digits.
fn fraction(place: &str) -> String {
    let micros = format!("CAST(extract(microseconds FROM {place}) AS bigint)");
    format!(
        "CASE WHEN {micros} % 1000000 = 0 THEN '' WHEN {micros} % 1000 = 0 THEN to_char({place}, '.MS') ELSE to_char({place}, '.US') END"
    )
}
