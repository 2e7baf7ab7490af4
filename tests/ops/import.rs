//! The import as the service does it: at the start, and when its query changes; told once when it begins to fail and once when it
//! is over.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::service::Service;
use crate::support::Machine;

async fn theirs(machine: &Machine, sql: &str) {
    let url = format!("sqlite://{}?mode=rwc", machine.path().join("theirs.db").display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a database");
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
    connection.close().await.expect("closed");
}

fn configured(machine: &Machine, query: &str) {
    let text = format!(
        "[schedule]\ntick_secs = 1\nfull = \"\"\nincremental = \"\"\nsweep = \"\"\n\
         [credentials.import]\nurl = \"sqlite://theirs.db\"\nquery = \"{query}\"\n"
    );
    machine.write("my.toml", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_imports_at_the_start_and_when_its_query_changes() {
    let machine = Machine::new();
    theirs(&machine, "CREATE TABLE shops (name, url, secret)").await;
    theirs(&machine, "INSERT INTO shops VALUES ('one', 'one.example', 'canary-1'), ('two', 'two.example', 'canary-2')")
        .await;
    configured(&machine, "SELECT * FROM shops WHERE name = 'one'");
    let service = Service::start(&machine, &["--config", "my.toml"], &[("NETOSYNC__LOG__FILTER", "trace")]);
    assert!(service.says("the import of credentials").contains("added one"));

    configured(&machine, "SELECT * FROM shops");
    service.signal("HUP");
    assert!(service.says("read the configuration again").contains("credentials.import.query"));
    assert!(service.says("the import of credentials").contains("added two"));

    configured(&machine, "SELECT * FROM nowhere");
    service.signal("HUP");
    let line = service.says("netosync: the import of credentials changes nothing");
    assert!(line.contains("WARN") && line.contains("no such table: nowhere"), "{line}");

    configured(&machine, "SELECT * FROM shops");
    service.signal("HUP");
    service.says("netosync: over: the import of credentials takes every row again");
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
    assert_eq!(machine.run(&["store", "list", "--json"]).json().as_array().map(Vec::len), Some(2));
}
