//! Migrations and the meaning of tables, on both engines.

use std::collections::BTreeMap;

use netosync::domain::secret::Secret;
use netosync::storage::{Database, Engine, StorageError, dictionary, schema, store_removal};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::support::postgres::{LOCKED_PASSWORD, LOCKED_ROLE, Scratch};
use crate::support::{EmptyDb, Fresh, TestDb, on_both_engines};

on_both_engines!(
    an_empty_database_is_migrated_without_being_asked,
    migrations_go_down_and_up_again,
    tables_of_a_newer_program_are_refused,
    pending_migrations_wait_for_a_person,
    two_first_starts_at_once_both_succeed,
    reading_the_status_creates_nothing,
    every_column_has_a_meaning_and_the_type_it_says,
    every_table_has_the_key_it_says,
    a_store_has_one_unfinished_run,
    a_removed_store_takes_everything_of_it_along,
    states_outside_of_the_known_ones_are_refused,
    runs_of_before_stay_when_audits_come_and_go,
    decimals_are_exact_to_fifteen_digits,
    every_connection_has_our_settings,
);

/// Runs a statement that is only there for the test.
async fn execute(db: &Database, sql: &str) -> Result<(), sea_orm::DbErr> {
    db.orm().execute_unprepared(sql).await.map(drop)
}

/// All rows of a query, every column as text.
async fn texts(db: &Database, sql: &str, columns: usize) -> Vec<Vec<String>> {
    let backend = match db.engine() {
        Engine::Sqlite => DbBackend::Sqlite,
        Engine::Postgres => DbBackend::Postgres,
    };
    let rows = db.orm().query_all_raw(Statement::from_string(backend, sql)).await.expect(sql);
    rows.iter()
        .map(|row| (0..columns).map(|i| row.try_get_by_index::<String>(i).expect("a text column")).collect())
        .collect()
}

async fn an_empty_database_is_migrated_without_being_asked(db: EmptyDb) {
    schema::migrate_empty_or_check(&db).await.expect("it is empty");

    let status = schema::status(&db).await.expect("readable");
    assert_eq!(status.applied.first().map(String::as_str), Some("m20261121_000001_create_stores"));
    assert_eq!((status.pending.len(), status.unknown.len()), (0, 0));
    schema::migrate_empty_or_check(&db).await.expect("a second start finds it done");
}

async fn migrations_go_down_and_up_again(db: TestDb) {
    let before = columns(&db).await;

    schema::revert(&db, None).await.expect("all migrations can be taken back");

    let left: Vec<_> = columns(&db).await.into_keys().collect();
    assert_eq!(left, [migration::HISTORY_TABLE]);
    schema::migrate(&db).await.expect("up again");
    assert_eq!(columns(&db).await, before);
}

async fn tables_of_a_newer_program_are_refused(db: TestDb) {
    let future = "INSERT INTO netosync_migrations (version, applied_at) VALUES ('m20991231_000001_paint_it_black', 0)";
    execute(&db, future).await.expect("inserted");

    for refusal in [schema::migrate_empty_or_check(&db).await, schema::migrate(&db).await.map(drop)] {
        let message = refusal.expect_err("newer").to_string();
        assert!(message.contains("newer netosync") && message.contains("paint_it_black"), "{message}");
    }
}

async fn pending_migrations_wait_for_a_person(db: TestDb) {
    schema::revert(&db, Some(1)).await.expect("one step back");

    let refusal = schema::migrate_empty_or_check(&db).await.expect_err("not empty, not current");

    assert!(matches!(&refusal, StorageError::MigrationsPending { pending } if pending.len() == 1), "{refusal:?}");
    assert!(refusal.to_string().contains("netosync db migrate"), "{refusal}");
    let pending = schema::status(&db).await.expect("readable").pending;
    assert_eq!(schema::migrate(&db).await.expect("a person may"), pending);
    assert!(schema::status(&db).await.expect("readable").pending.is_empty());
}

async fn two_first_starts_at_once_both_succeed(db: EmptyDb) {
    let start = || async { schema::migrate_empty_or_check(&db.opened_again().await).await };

    let (one, two, three) = tokio::join!(start(), start(), start());

    for outcome in [one, two, three] {
        outcome.expect("each finds the tables, whoever made them");
    }
    assert!(schema::status(&db).await.expect("readable").pending.is_empty());
}

async fn reading_the_status_creates_nothing(db: EmptyDb) {
    let status = schema::status(&db).await.expect("readable");

    assert!(status.is_empty() && !status.pending.is_empty());
    assert!(columns(&db).await.is_empty());
}

/// The columns that are really there, with their declared types, by table.
async fn columns(db: &Database) -> BTreeMap<String, Vec<(String, String)>> {
    let sql = match db.engine() {
        Engine::Sqlite => {
            "SELECT t.name, c.name, c.type FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid"
        }
        Engine::Postgres => {
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
             WHERE table_schema = 'netosync' ORDER BY table_name, ordinal_position"
        }
    };
    let mut tables = BTreeMap::<_, Vec<_>>::new();
    for row in texts(db, sql, 3).await {
        let [table, column, kind] = <[String; 3]>::try_from(row).expect("three columns");
        tables.entry(table).or_default().push((column, kind));
    }
    tables
}

async fn every_column_has_a_meaning_and_the_type_it_says(db: TestDb) {
    let mut real = columns(&db).await;
    for table in dictionary::tables() {
        let real = real.remove(table.name).unwrap_or_else(|| panic!("{} does not exist", table.name));
        assert!(table.doc.ends_with('.'), "{}", table.name);
        assert!(table.columns.iter().all(|column| column.doc.len() > 3), "{}", table.name);
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(real.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names, "{}", table.name);
        if table.name != migration::HISTORY_TABLE {
            for (column, (name, kind)) in table.columns.iter().zip(&real) {
                let said = match (table.name, name.as_str(), db.engine()) {
                    (_, "attempt", _) => "integer",
                    // What comes of an expression has no type there.
                    ("product_changes", "fields", Engine::Sqlite) => "",
                    _ => column.kind.sql_type(db.engine()),
                };
                assert_eq!(kind.to_lowercase(), said, "{}.{name}", table.name);
            }
        }
    }
    assert!(real.is_empty(), "tables without a meaning: {real:?}");
}

async fn every_table_has_the_key_it_says(db: TestDb) {
    let sql = match db.engine() {
        Engine::Sqlite => {
            "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.pk > 0 ORDER BY t.name, c.pk"
        }
        Engine::Postgres => {
            "SELECT c.table_name::text, k.column_name::text FROM information_schema.table_constraints c
             JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name, table_name)
             WHERE c.constraint_type = 'PRIMARY KEY' AND c.table_schema = 'netosync'
             ORDER BY c.table_name, k.ordinal_position"
        }
    };
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for row in texts(&db, sql, 2).await {
        keys.entry(row[0].clone()).or_default().push(row[1].clone());
    }
    for table in dictionary::tables().iter().filter(|table| !table.view) {
        assert_eq!(keys[table.name], table.key, "{}", table.name);
    }
}

/// A store, number 1.
async fn add_store(db: &Database) {
    let sql = "INSERT INTO stores (name, connector, url, created_at) VALUES ('a', 'neto', 'https://a', '2026-11-21T00:00:00+00:00')";
    execute(db, sql).await.expect("a store");
}

async fn add_run(db: &Database, state: &str) -> Result<(), sea_orm::DbErr> {
    let columns = "store_id, kind, trigger, state, scheduled_at, created_at";
    let time = "'2026-11-21T00:00:00+00:00'";
    execute(db, &format!("INSERT INTO runs ({columns}) VALUES (1, 'full', 'manual', '{state}', {time}, {time})")).await
}

async fn a_store_has_one_unfinished_run(db: TestDb) {
    add_store(&db).await;
    for finished in ["succeeded", "failed", "cancelled", "succeeded"] {
        add_run(&db, finished).await.expect("any number of finished runs");
    }

    add_run(&db, "queued").await.expect("the first unfinished one");

    for unfinished in ["queued", "running"] {
        let refusal = add_run(&db, unfinished).await.expect_err("the second");
        assert!(refusal.to_string().to_lowercase().contains("unique"), "{refusal}");
    }
}

async fn a_removed_store_takes_everything_of_it_along(db: TestDb) {
    add_store(&db).await;
    add_run(&db, "queued").await.expect("a run");
    let time = "'2026-11-21T00:00:00+00:00'";
    let hash = if db.engine() == Engine::Sqlite { "x'00'" } else { "'\\x00'" };
    for sql in [
        format!(
            "INSERT INTO products (store_id, inventory_id, content_hash, first_seen_at, changed_at) VALUES (1, 7, {hash}, {time}, {time})"
        ),
        "INSERT INTO product_texts (store_id, inventory_id) VALUES (1, 7)".to_owned(),
        format!(
            "INSERT INTO incidents (kind, store_id, connector, opened_at, last_seen_at, sentence, notice_at) \
             VALUES ('store_failing', 1, 'neto', {time}, {time}, 'x', {time})"
        ),
        "INSERT INTO product_stock (store_id, inventory_id, warehouse_id) VALUES (1, 7, 1)".to_owned(),
    ] {
        execute(&db, &sql).await.expect(&sql);
    }

    store_removal::remove_store(&db, "a").await.expect("nothing holds it back");

    for table in ["runs", "products", "product_texts", "product_stock", "incidents"] {
        let sql = format!("SELECT CAST(COUNT(*) AS text) FROM {table}");
        assert_eq!(texts(&db, &sql, 1).await, [["0"]], "{table}");
    }
}

#[tokio::test]
async fn who_may_read_the_feed_may_read_it_when_it_becomes_a_view() {
    let db = TestDb::on_postgres().await;
    schema::revert(&db, Some(1)).await.expect("taken back");
    execute(&db, &format!("GRANT SELECT ON product_changes TO {LOCKED_ROLE}, PUBLIC")).await.expect("granted");

    schema::migrate(&db).await.expect("up again");

    for reader in [LOCKED_ROLE, "public"] {
        let sql = format!("SELECT CAST(has_table_privilege('{reader}', 'product_changes', 'SELECT') AS text)");
        assert_eq!(texts(&db, &sql, 1).await, [["true"]], "{reader}");
    }
}

async fn states_outside_of_the_known_ones_are_refused(db: TestDb) {
    add_store(&db).await;

    let refusal = add_run(&db, "dreaming").await.expect_err("no such state");

    assert!(refusal.to_string().to_lowercase().contains("check"), "{refusal}");
}

/// Migrations from the one on that lets runs be audits.
const SINCE_AUDITS: u32 = 12;

async fn runs_of_before_stay_when_audits_come_and_go(db: TestDb) {
    let beside = db.opened_again().await;
    schema::revert(&db, Some(SINCE_AUDITS)).await.expect("the last migrations are taken back");
    add_store(&db).await;
    add_run(&db, "succeeded").await.expect("a run of before");
    execute(&db, "INSERT INTO findings (run_id, inventory_id, kind) VALUES (1, 7, 'look')").await.expect("of the run");
    let queue = |kind: &str| {
        format!(
            "INSERT INTO runs (store_id, kind, \"trigger\", state, scheduled_at, created_at) VALUES \
             (1, '{kind}', 'manual', 'succeeded', '2026-11-21T00:00:00+00:00', '2026-11-21T00:00:00+00:00')"
        )
    };
    execute(&db, &queue("audit")).await.expect_err("not yet");

    schema::migrate(&db).await.expect("with rows in it");

    // A connection that knows the tables of before learns of it too.
    execute(&beside, &queue("audit")).await.expect("an audit");
    for opened in [&db, &beside] {
        execute(opened, &queue("dream")).await.expect_err("no such kind");
    }
    if db.engine() == Engine::Sqlite {
        assert_eq!(texts(&db, "PRAGMA integrity_check", 1).await, [["ok"]]);
    }
    schema::revert(&db, Some(SINCE_AUDITS)).await.expect("taken back");
    for table in ["runs", "findings"] {
        let sql = format!("SELECT CAST(COUNT(*) AS text) FROM {table}");
        assert_eq!(texts(&db, &sql, 1).await, [["1"]], "{table}: only the audit is gone");
    }
    execute(&db, &queue("audit")).await.expect_err("no longer");
}

async fn decimals_are_exact_to_fifteen_digits(db: TestDb) {
    add_store(&db).await;
    let hash = if db.engine() == Engine::Sqlite { "x'00'" } else { "'\\x00'" };
    let time = "'2026-11-21T00:00:00+00:00'";
    for (id, price) in ["0.1", "1234567890123.45", "-0.000000123456789", "99999999999999.9", "12"].iter().enumerate() {
        let columns = "store_id, inventory_id, default_price, content_hash, first_seen_at, changed_at";
        let sql = format!("INSERT INTO products ({columns}) VALUES (1, {id}, {price}, {hash}, {time}, {time})");
        execute(&db, &sql).await.expect(&sql);

        let sql = format!(
            "SELECT CAST(inventory_id AS text) FROM products WHERE inventory_id = {id} AND default_price = {price}"
        );
        assert_eq!(texts(&db, &sql, 1).await.len(), 1, "{price} is found by its value");
    }
}

#[tokio::test]
async fn a_server_that_refuses_says_why_and_never_the_password() {
    let scratch = Scratch::empty().await;
    let folder = Scratch::socket_folder().display();
    let clock = std::sync::Arc::new(netosync::clock::SystemClock);
    for (url, reason) in [
        (scratch.url_as(LOCKED_ROLE, "wrong-hunter2"), "refused the password"),
        (format!("postgres://x:hunter2@localhost/postgres?host={folder}"), "lets this user not in"),
        (format!("postgres://postgres:hunter2@localhost/absent?host={folder}"), "there is no such database"),
    ] {
        let refusal = Database::connect(&Secret::new(&url), "netosync", clock.clone()).await.expect_err(reason);
        assert!(refusal.to_string().contains(reason), "{refusal}");
        assert!(!format!("{refusal} {refusal:?}").contains("hunter2"), "{refusal:?}");
    }
    let url = Secret::new(&scratch.url_as(LOCKED_ROLE, LOCKED_PASSWORD));
    let db = Database::connect(&url, "netosync", clock).await.expect("the right password opens it");
    let refusal = schema::migrate(&db).await.expect_err("the role may not create a schema").to_string();
    assert!(refusal.contains("create the schema") && refusal.contains("permission denied"), "{refusal}");
}

#[tokio::test]
async fn writers_on_one_file_wait_for_each_other() {
    let db = TestDb::on_sqlite().await;
    add_store(&db).await;
    let read_then_write = || async {
        let transaction = db.begin_write().await.expect("its turn comes");
        let sql = "SELECT change_seq FROM stores";
        let row = transaction.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.expect("read");
        let seen: i64 = row.expect("a store").try_get_by_index(0).expect("a number");
        let sql = format!("UPDATE stores SET change_seq = {}", seen + 1);
        transaction.execute_unprepared(&sql).await.expect("nobody wrote in between");
        transaction.commit().await.expect("committed");
    };

    tokio::join!(read_then_write(), read_then_write(), read_then_write(), read_then_write());

    assert_eq!(texts(&db, "SELECT CAST(change_seq AS text) FROM stores", 1).await, [["4"]]);
}

async fn every_connection_has_our_settings(db: TestDb) {
    let settings: &[(&str, &str)] = match db.engine() {
        Engine::Sqlite => &[
            ("SELECT journal_mode FROM pragma_journal_mode", "wal"),
            ("SELECT CAST(page_size AS text) FROM pragma_page_size", "16384"),
            ("SELECT CAST(foreign_keys AS text) FROM pragma_foreign_keys", "1"),
            ("SELECT CAST(timeout AS text) FROM pragma_busy_timeout", "30000"),
        ],
        Engine::Postgres => &[
            ("SELECT current_schema()::text", "netosync"),
            ("SELECT current_setting('application_name')", "netosync"),
            ("SELECT current_setting('statement_timeout')", "2min"),
        ],
    };
    for (sql, value) in settings {
        assert_eq!(texts(&db, sql, 1).await, [[*value]], "{sql}");
    }
}
