//! Imports that fail, rows that cannot be used, queries that would write: nothing changes, here or there, and no value is shown.

use netosync::config::{Import, SecretUrl};
use netosync::domain::secret::Secret;
use netosync::import::ImportError;
use netosync::storage::Engine;
use netosync::storage::foreign::ForeignError;

use crate::support::dump::dump;
use crate::support::theirs::{Desk, on_all_pairs};

on_all_pairs!(
    a_row_that_cannot_be_used_changes_nothing_of_its_store_and_the_others_go_on,
    an_import_that_fails_changes_nothing_and_is_told_until_it_is_over,
    no_more_stores_rest_at_once_than_allowed,
    nothing_is_ever_written_there,
    no_value_is_in_what_is_said_about_an_error,
    a_query_without_end_is_given_up,
);

const CANARY: &str = "canary-7c1e94-canary-7c1e94";

async fn a_row_that_cannot_be_used_changes_nothing_of_its_store_and_the_others_go_on(desk: Desk) {
    for name in ["keyless", "twice", "badurl", "good"] {
        desk.row(name, &format!("{name}.example"), "key").await;
    }
    desk.import().await.expect("imported");
    let before = dump(&desk.ours).await;
    desk.theirs("UPDATE public.shops SET secret = '' WHERE name = 'keyless'").await;
    desk.theirs(&format!("UPDATE public.shops SET url = 'https://u:{CANARY}@badurl.example' WHERE name = 'badurl'"))
        .await;
    desk.row("twice", "other.example", "another").await;
    desk.row("Main Shop", "shop.example", "key").await;
    desk.theirs("INSERT INTO public.shops VALUES (NULL, 'https://nameless.example', 'key', NULL, FALSE)").await;

    let report = desk.import().await.expect("imported");

    let mut refused: Vec<_> = report.refused.iter().map(ToString::to_string).collect();
    refused.sort();
    let expected = [
        "Main Shop (its name cannot",
        "badurl (its url cannot be used: it holds a user",
        "keyless (its secret is empty",
        "row ",
        "twice (its name comes more",
        "twice (its name comes more",
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:#?}");
    for (refused, expected) in refused.iter().zip(expected) {
        assert!(refused.starts_with(expected) && !refused.contains(CANARY), "{refused} is not {expected}");
    }
    assert_eq!(report.unchanged, 1, "only the good one was looked at");
    let mut after = dump(&desk.ours).await;
    let told = after.insert("incidents", Vec::new()).expect("a table");
    assert_eq!(told.len(), 1);
    assert_eq!(after, before, "no store is touched, and none is paused");

    desk.theirs("UPDATE public.shops SET secret = 'renewed' WHERE name = 'keyless'").await;
    desk.import().await.expect("imported");
    assert_eq!(desk.key("keyless").await, "renewed");
    assert!(desk.incident().await.is_some_and(|incident| !incident.sentence.contains("keyless")));
}

async fn an_import_that_fails_changes_nothing_and_is_told_until_it_is_over(desk: Desk) {
    desk.row("main", "www.shop.example", "key").await;
    desk.import().await.expect("imported");
    let before = dump(&desk.ours).await;
    desk.theirs("UPDATE public.shops SET url = 'https://moved.example'").await;
    let away = match desk.theirs.engine() {
        Engine::Sqlite => "sqlite:///no/such/file.db?mode=rwc".to_owned(),
        Engine::Postgres => format!("postgres://u:{CANARY}@127.0.0.1:1/shops"),
    };
    let gone = Import { url: Some(SecretUrl::new(&away)), ..desk.settings.clone() };
    let mut errors = vec![desk.import_with(&gone, false).await.expect_err("away").to_string()];
    for query in [
        "SELECT name, url, secret FROM nowhere",
        "SELECT name, url, secret, wrong FROM shops",
        "SELECT name, url FROM shops",
        "SELECT name, url, secret, url AS address FROM shops",
        "SELECT name, url, secret FROM shops WHERE 1 = 0",
        "SELECT name, url, secret FROM",
    ] {
        errors.push(desk.import_by(query).await.expect_err(query).to_string());
        let sentence = desk.incident().await.expect("it is told").sentence;
        assert!(sentence.contains(errors.last().expect("one")), "{sentence}");
    }

    for (error, part) in errors.iter().zip([
        "cannot be opened",
        "nowhere",
        "wrong",
        "yields no column secret; the columns are name, url, secret, scheme",
        "yields a column address, which means nothing here",
        "yields no row, though 1 imported stores are synced",
        "refused credentials.import.query",
    ]) {
        assert!(error.contains(part) && !error.contains(CANARY) && !error.contains('\n'), "{error} lacks {part}");
    }
    let mut after = dump(&desk.ours).await;
    assert_eq!(after.insert("incidents", Vec::new()).expect("a table").len(), 1, "one incident, however often");
    assert_eq!(after, before);

    assert_eq!(desk.import().await.expect("imported").changed.len(), 1);
    assert!(desk.incident().await.is_none());
}

async fn no_more_stores_rest_at_once_than_allowed(mut desk: Desk) {
    for number in 0..10 {
        desk.row(&format!("shop-{number}"), "www.shop.example", "key").await;
    }
    desk.settings.max_share = 0.25;
    desk.import().await.expect("imported");
    desk.theirs("UPDATE public.shops SET paused = TRUE WHERE name = 'shop-0'").await;
    desk.theirs("DELETE FROM public.shops WHERE name IN ('shop-1', 'shop-2')").await;
    let before = dump(&desk.ours).await;

    let refusal = desk.import().await.expect_err("three of ten");

    assert!(matches!(refusal, ImportError::TooManyPauses { pausing: 3, stores: 10, allowed: 2 }), "{refusal:?}");
    assert!(refusal.to_string().contains("--approve-pauses"));
    let mut after = dump(&desk.ours).await;
    after.insert("incidents", Vec::new());
    assert_eq!(after, before);
    assert_eq!(desk.import_with(&desk.settings, true).await.expect("approved").paused.len(), 3);
    assert!(desk.incident().await.is_none());
    // Two of the seven left may rest, and a single one always may.
    desk.theirs("DELETE FROM public.shops WHERE name = 'shop-3'").await;
    desk.settings.max_share = 0.0;
    assert_eq!(desk.import().await.expect("one").paused.len(), 1);
}

async fn nothing_is_ever_written_there(desk: Desk) {
    desk.row("main", "www.shop.example", "key").await;
    let postgres = desk.theirs.engine() == Engine::Postgres;
    if postgres {
        desk.theirs("CREATE SEQUENCE public.numbers").await;
    }
    let before = desk.their_rows().await;
    desk.import().await.expect("imported");

    let mut queries = vec![
        "DELETE FROM shops",
        "UPDATE shops SET secret = 'x' RETURNING name, url, secret",
        "INSERT INTO shops (name) VALUES ('x') RETURNING name, url, secret",
        "WITH x AS (SELECT 1) DELETE FROM shops RETURNING name, url, secret",
        "CREATE TABLE mine (name text)",
    ];
    if postgres {
        queries.extend([
            "WITH x AS (DELETE FROM shops RETURNING *) SELECT name, url, secret FROM x",
            "SELECT name, url, secret INTO mine FROM shops",
            "SELECT name, url, nextval('numbers')::text AS secret FROM shops",
            "SELECT name, url, set_config('transaction_read_only', 'off', false) AS secret FROM shops",
            "SELECT name, url, secret FROM shops; DELETE FROM shops",
        ]);
    } else {
        queries.extend(["PRAGMA user_version = 7", "DROP TABLE shops"]);
    }
    for query in queries {
        let refusal = desk.import_by(query).await.expect_err(query);
        assert!(
            matches!(refusal, ImportError::Foreign(ForeignError::Refused { .. }) | ImportError::Columns { .. }),
            "{query}: {refusal}"
        );
    }

    assert_eq!(desk.their_rows().await, before);
    let tables = if postgres {
        "SELECT 1 FROM pg_class WHERE relname = 'mine' UNION ALL SELECT 1 FROM public.numbers WHERE is_called"
    } else {
        "SELECT 1 FROM sqlite_master WHERE name = 'mine' UNION ALL SELECT 1 FROM pragma_user_version WHERE user_version <> 0"
    };
    assert_eq!(desk.count_of_theirs(tables).await, 0);
}

async fn no_value_is_in_what_is_said_about_an_error(desk: Desk) {
    desk.row("main", "www.shop.example", CANARY).await;
    let mut queries = vec![
        format!("SELECT name, url, '{CANARY}' secret secret FROM shops"),
        format!("SELECT name, url, secret, '{CANARY}' || secret FROM shops"),
        format!("SELECT name, url, nothing('{CANARY}', secret) AS secret FROM shops"),
        "SELECT secret AS name, url, '' AS secret FROM shops".to_owned(),
        "SELECT name, secret AS url, secret, secret AS scheme FROM shops".to_owned(),
        "SELECT name, url, secret, secret AS paused FROM shops".to_owned(),
        "SELECT name, url, secret, secret AS timezone FROM shops".to_owned(),
        "SELECT name, url, secret, secret AS calls_per_minute FROM shops".to_owned(),
        "SELECT name, url, secret, secret AS schedule_full FROM shops".to_owned(),
        "SELECT name, url, secret, secret AS connector FROM shops".to_owned(),
    ];
    if desk.theirs.engine() == Engine::Postgres {
        queries.push("SELECT name, url, CAST(secret AS integer) AS secret FROM shops".to_owned());
        queries.push("SELECT name, url, secret, secret::date::text AS scheme FROM shops".to_owned());
        queries.push("SELECT name, url, secret, now() AS scheme FROM shops".to_owned());
    } else {
        queries.push("SELECT name, url, json_extract(secret, '$.x') AS secret FROM shops".to_owned());
    }
    for query in queries {
        let outcome = desk.import_by(&query).await;
        let said = match &outcome {
            Ok(report) => {
                assert!(!report.refused.is_empty(), "{query}");
                format!("{report:?} {}", serde_json::to_string(report).expect("JSON"))
            }
            Err(error) => format!("{error} {error:?}"),
        };
        let told = desk.incident().await.expect("it is told").sentence;
        assert!(!said.contains(CANARY) && !told.contains(CANARY), "{query}: {said} {told}");
    }
    let url = Secret::new(&format!("postgres://u:{CANARY}@[h/d"));
    let settings = Import { url: Some(SecretUrl::new(url.expose())), ..desk.settings.clone() };
    let error = desk.import_with(&settings, false).await.expect_err("no address");
    assert!(!format!("{error} {error:?} {settings:?}").contains(CANARY), "{error:?}");
}

async fn a_query_without_end_is_given_up(mut desk: Desk) {
    desk.settings.timeout_secs = 1;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'a' AS name, 'b' AS url, 'c' AS secret FROM n WHERE i < 0";

    let refusal = desk.import_by(endless).await.expect_err("without end");

    assert!(matches!(refusal, ImportError::Foreign(ForeignError::Late { secs: 1 })), "{refusal:?}");
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_enough_and_stays_as_it_is() {
    let mut desk = Desk::of(Engine::Sqlite, Engine::Sqlite).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("theirs.db");
    desk.row("main", "www.shop.example", "key").await;
    desk.theirs(&format!("VACUUM INTO '{}'", file.display())).await;
    let bytes = std::fs::read(&file).expect("readable");
    let mut permissions = std::fs::metadata(&file).expect("there").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file, permissions).expect("ours");
    desk.settings.url = Some(SecretUrl::new(&format!("sqlite://{}", file.display())));

    assert_eq!(desk.import().await.expect("imported").added, ["main"]);

    assert_eq!(std::fs::read(&file).expect("readable"), bytes);
    let files = std::fs::read_dir(folder.path()).expect("ours").count();
    assert_eq!(files, 1, "nothing beside it");
}
