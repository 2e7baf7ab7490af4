//! `netosync store import`, and what the other commands say of it.

use std::path::PathBuf;

use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use crate::support::{Desk, Done};

/// In no output and in no file of ours.
const SECRET: &str = "canary-secret-of-their-database";
const QUERY: &str = "SELECT name, url, secret FROM shops -- opened with canary-secret-phrase";

/// A desk beside the operator's own database.
struct Theirs {
    desk: Desk,
    file: PathBuf,
    /// Elsewhere, so that the desk's folder is all ours.
    _folder: tempfile::TempDir,
}

impl Theirs {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let theirs = Self { desk: Desk::new(), file: folder.path().join("theirs.db"), _folder: folder };
        theirs.sql("CREATE TABLE shops (name, url, secret)");
        theirs
    }

    fn sql(&self, sql: &str) {
        let url = format!("sqlite://{}?mode=rwc", self.file.display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await.expect("a database");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect("the SQL works");
            connection.close().await.expect("closed");
        });
    }

    fn add(&self, name: &str, host: &str) {
        self.sql(&format!("INSERT INTO shops VALUES ('{name}', '{host}', '{SECRET}')"));
    }

    fn run(&self, args: &[&str]) -> Done {
        self.run_by(args, QUERY)
    }

    fn run_by(&self, args: &[&str], query: &str) -> Done {
        let mut command = self.desk.std_command(args);
        command.env("NETOSYNC__CREDENTIALS__IMPORT__URL", format!("sqlite://{}", self.file.display()));
        command.env("NETOSYNC__CREDENTIALS__IMPORT__QUERY", query);
        let done = Done::of(command.output());
        for text in [&done.out, &done.err] {
            assert!(!text.contains("canary"), "{done:#?}");
        }
        done
    }
}

#[test]
fn an_import_is_rehearsed_done_and_shown_without_a_secret_anywhere() {
    let theirs = Theirs::new();
    theirs.add("main", "www.shop.example");
    theirs.add("Second Shop", "second.example");

    theirs.run(&["check"]).exits(0).says(&["note     credentials.import:", "yields 2 rows", "Second Shop (its name"]);
    let rehearsed = theirs.run(&["store", "import", "--dry-run"]).exits(6);
    rehearsed.says(&["added    main", "refused  Second Shop (its name cannot be used", "nothing was done"]);
    assert_eq!(theirs.run(&["store", "list", "--json"]).exits(0).json(), json!([]));

    let done = theirs.run(&["store", "import", "--json"]).exits(6).json();
    assert_eq!((&done["added"], &done["unchanged"], &done["dry_run"]), (&json!(["main"]), &json!(0), &json!(false)));
    assert_eq!((&done["refused"][0]["store"], &done["refused"][0]["row"]), (&json!("Second Shop"), &json!(2)));
    let shown = theirs.run(&["store", "show", "main", "--json"]).exits(0).json();
    assert_eq!((&shown["origin"], &shown["url"]), (&json!("import"), &json!("https://www.shop.example/")));
    theirs.run(&["store", "show", "main"]).exits(0).says(&["your own database"]);
    assert!(theirs.run(&["status"]).exits(0).err.contains("refuses 1 rows: Second Shop"));
    theirs.run(&["why", "main"]).exits(0).says(&["import", "refuses 1 rows"]);

    theirs.sql("DELETE FROM shops WHERE name <> 'main'");
    let done = theirs.run(&["store", "import"]).exits(0);
    done.says(&["unchanged: 1"]);
    assert!(!theirs.run(&["status"]).exits(0).err.contains("warning"));
    theirs.run(&["check"]).exits(0).says(&["ok       credentials.import:", "yields 1 stores"]);
    let warned = theirs.run(&["store", "set", "main", "--calls-per-minute", "10"]).exits(0);
    assert!(warned.err.contains("--origin manual"), "{warned:?}");

    for entry in std::fs::read_dir(theirs.desk.folder()).expect("the folder") {
        let file = entry.expect("an entry").path();
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(13).any(|window| window == b"canary-secret"), "{}", file.display());
    }
}

#[test]
fn a_store_that_rests_because_of_the_import_says_how_it_goes_on() {
    let theirs = Theirs::new();
    theirs.add("main", "www.shop.example");
    theirs.add("other", "other.example");
    theirs.run(&["store", "import"]).exits(0);
    theirs.sql("DELETE FROM shops WHERE name = 'main'");

    theirs.run(&["store", "import"]).exits(0).says(&["paused   main (no longer in the import)"]);

    theirs.run(&["why", "main"]).exits(0).says(&["no longer in the import", "do: netosync store import"]);
    let shown = theirs.run(&["store", "show", "main", "--json"]).exits(0).json();
    assert_eq!((&shown["paused"], &shown["paused_by"]), (&json!(true), &json!("import")));
    theirs.sql("DELETE FROM shops");
    theirs.run(&["store", "import"]).exits(1).complains(&["yields no row", "--approve-pauses"]);
    assert!(theirs.run(&["status"]).exits(0).err.contains("changes nothing"));
    theirs.run(&["store", "import", "--approve-pauses"]).exits(0).says(&["paused   other"]);
}

#[test]
fn an_import_that_cannot_be_is_an_error_with_its_code() {
    let theirs = Theirs::new();
    theirs.run_by(&["store", "import"], "SELECT name, url FROM shops").exits(3).complains(&["no column secret"]);
    theirs.run_by(&["store", "import"], "SELECT * FROM nowhere").exits(4).complains(&["no such table: nowhere"]);
    theirs.run_by(&["store", "import"], "DELETE FROM shops").exits(3).complains(&["must be a SELECT"]);
    theirs.run_by(&["store", "import"], "").exits(3).complains(&["credentials.import.query", "must be the SELECT"]);
    theirs.desk.run(&["store", "import"]).exits(3).complains(&["set credentials.import.url"]);
    // The service starts all the same.
    theirs
        .run_by(&["check"], "SELECT * FROM nowhere")
        .exits(0)
        .says(&["note     credentials.import: nothing is imported"]);
}
