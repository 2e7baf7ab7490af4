//! An SQLite file of somebody else's.

use std::str::FromStr;
use std::time::Instant;

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement};

use super::error::of_names;
use super::{Answer, ForeignError, Question, Value, push};

/// How many steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

pub(super) async fn read(question: Question<'_>) -> Result<Answer, ForeignError> {
    let url = question.url.expose();
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(ForeignError::bad_url("a database in memory holds nothing"));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| ForeignError::bad_url("its options are not those of SQLite"))?
        .read_only(true)
        .create_if_missing(false)
        .pragma("query_only", "ON")
        .busy_timeout(question.timeout)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| connect(&options, &error))?;
    let answer = ask(&mut connection, question).await;
    // It reads only: nothing is lost, however it closes.
    drop(connection.close().await);
    answer
}

async fn ask(connection: &mut SqliteConnection, question: Question<'_>) -> Result<Answer, ForeignError> {
    let refused = |error: sqlx::Error| refused(question, &error);
    let begun = Instant::now();
    let limit = question.timeout;
    connection.lock_handle().await.map_err(refused)?.set_progress_handler(STEPS, move || begun.elapsed() < limit);
    let sql = AssertSqlSafe(question.query.expose().to_owned()).into_sql_str();
    let statement = connection.prepare(sql).await.map_err(refused)?;
    let columns: Vec<String> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut rows = Vec::new();
    let mut found = statement.query().fetch(&mut *connection);
    while let Some(row) = found.try_next().await.map_err(refused)? {
        // A number's bytes are its digits.
        let values = (0..columns.len()).map(|at| row.try_get_unchecked::<Option<&[u8]>, _>(at).map(Value::of));
        push(&mut rows, values.collect::<Result<_, _>>().map_err(refused)?)?;
    }
    Ok(Answer { columns, rows })
}

fn connect(options: &SqliteConnectOptions, error: &sqlx::Error) -> ForeignError {
    let file = options.get_filename();
    let reason = match code(error) {
        Some(26) => "it is not an SQLite database",
        Some(5) => "another program keeps it locked; the next import tries again",
        _ if !file.exists() => "there is no such file; correct its name",
        _ if file.is_dir() => "it is a folder; give the name of a file in it",
        _ => "this user may not read it, or it is damaged; look at it with the sqlite3 shell",
    };
    ForeignError::Connect { target: file.display().to_string(), reason }
}

/// The primary result code.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<u32>().ok().map(|extended| extended & 0xff)
}

fn refused(question: Question<'_>, error: &sqlx::Error) -> ForeignError {
    let said = error.as_database_error().map(|error| error.message().to_owned()).unwrap_or_default();
    match code(error) {
        Some(9) => ForeignError::late(question.timeout),
        Some(8) => {
            ForeignError::refused("it would write, and nothing is ever written there; give a query that only reads")
        }
        Some(5 | 6) => ForeignError::refused("another program keeps the file locked; the next import tries again"),
        Some(26) => ForeignError::refused("the file is not an SQLite database"),
        Some(11) => ForeignError::refused("the file is damaged; look at it with the sqlite3 shell"),
        _ => {
            let names = ["no such table: ", "no such column: ", "no such function: ", "ambiguous column name: "];
            let harmless = names.iter().any(|name| said.starts_with(name));
            ForeignError::refused(of_names(
                &said,
                harmless,
                "it is not a statement SQLite understands, or it met an error",
            ))
        }
    }
}
