//! A PostgreSQL database of somebody else's.

use std::str::FromStr;

use futures::TryStreamExt;
use sqlx::error::DatabaseError;
use sqlx::postgres::{
    PgColumn, PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgRow, PgTypeInfo, PgTypeKind,
};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo};

use super::error::of_names;
use super::{Answer, ForeignError, Question, Value, push};

pub(super) async fn read(question: Question<'_>) -> Result<Answer, ForeignError> {
    let options = PgConnectOptions::from_str(question.url.expose())
        .map_err(|_| ForeignError::bad_url("host, port or an option of it is not right"))?;
    let millis = question.timeout.as_millis().to_string();
    let options = options
        .application_name("netosync import")
        .options([
            ("default_transaction_read_only", "on"),
            ("statement_timeout", millis.as_str()),
            ("lock_timeout", millis.as_str()),
        ])
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| connect(&options, &error))?;
    let answer = ask(&mut connection, question).await;
    // It reads only: nothing is lost, however it closes.
    drop(connection.close().await);
    answer
}

async fn ask(connection: &mut PgConnection, question: Question<'_>) -> Result<Answer, ForeignError> {
    let refused = |error: sqlx::Error| refused(question, &error);
    let mut transaction = connection.begin_with("BEGIN TRANSACTION READ ONLY").await.map_err(refused)?;
    // Prepared, because then the server itself takes one statement only.
    let sql = AssertSqlSafe(question.query.expose().to_owned()).into_sql_str();
    let statement = (&mut *transaction).prepare(sql).await.map_err(refused)?;
    let reads = statement.columns().iter().map(read_as).collect::<Result<Vec<_>, _>>()?;
    let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut rows = Vec::new();
    {
        let mut found = statement.query().fetch(&mut *transaction);
        while let Some(row) = found.try_next().await.map_err(refused)? {
            let values = reads.iter().enumerate().map(|(at, read)| read(&row, at));
            push(&mut rows, values.collect::<Result<_, _>>().map_err(refused)?)?;
        }
    }
    transaction.rollback().await.map_err(refused)?;
    Ok(Answer { columns, rows })
}

/// Reads a column of a row.
type Read = fn(&PgRow, usize) -> Result<Value, sqlx::Error>;

/// How a column is read: text and what is kept as text, bytes, whole numbers and truth values.
fn read_as(column: &PgColumn) -> Result<Read, ForeignError> {
    let kind = column.type_info();
    let name = kind.name().to_ascii_uppercase();
    Ok(match (name.as_str(), kind.kind()) {
        ("BOOL", _) => |row, at| Ok(number(row.try_get::<Option<bool>, _>(at)?)),
        ("INT2", _) => |row, at| Ok(number(row.try_get::<Option<i16>, _>(at)?)),
        ("INT4", _) => |row, at| Ok(number(row.try_get::<Option<i32>, _>(at)?)),
        ("INT8", _) => |row, at| Ok(number(row.try_get::<Option<i64>, _>(at)?)),
        _ if is_text(&name, kind) => |row, at| Ok(Value::of(row.try_get_unchecked::<Option<&[u8]>, _>(at)?)),
        _ => return Err(ForeignError::Type { column: column.name().to_owned(), kind: kind.name().to_lowercase() }),
    })
}

/// Whether what the server sends of it is its text. Bytes are taken for text in UTF-8.
fn is_text(name: &str, kind: &PgTypeInfo) -> bool {
    matches!(name, "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "CITEXT" | "BYTEA" | "JSON")
        || matches!(kind.kind(), PgTypeKind::Enum(_))
}

fn number(value: Option<impl ToString>) -> Value {
    Value::of(value.map(|value| value.to_string()).as_deref().map(str::as_bytes))
}

fn connect(options: &PgConnectOptions, error: &sqlx::Error) -> ForeignError {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let target = format!("{host}/{}", options.get_database().unwrap_or(options.get_username()));
    let code = error.as_database_error().and_then(DatabaseError::code).unwrap_or_default().into_owned();
    let reason = match (code.as_str(), error) {
        ("28P01", _) => "the server refused the password; correct user and password",
        ("28000", _) => "the server lets this user not in from here; check the user and the server's pg_hba.conf",
        ("3D000", _) => "there is no such database; correct its name",
        ("42501", _) => "this user may not connect to it; grant it CONNECT",
        ("53300", _) => "the server has no connection left; the next import tries again",
        ("57P03", _) => "the server is starting or stopping; the next import tries again",
        (_, sqlx::Error::Tls(_)) => "the encrypted connection failed; check sslmode and sslrootcert",
        (_, sqlx::Error::Io(_)) => "nothing answers there; check that the server runs, and host and port",
        _ => "the server refused the connection; its log says why",
    };
    ForeignError::Connect { target, reason }
}

fn refused(question: Question<'_>, error: &sqlx::Error) -> ForeignError {
    let Some(database) = error.as_database_error() else {
        return ForeignError::refused(match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => "the connection broke off; the next import tries again",
            _ => "its answer could not be read",
        });
    };
    let code = database.code().unwrap_or_default();
    let position = database.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::position);
    let at = match position {
        Some(PgErrorPosition::Original(at)) => format!(" at character {at}"),
        _ => String::new(),
    };
    match &*code {
        "57014" | "55P03" => ForeignError::late(question.timeout),
        "25006" => {
            ForeignError::refused("it would write, and nothing is ever written there; give a query that only reads")
        }
        "42601" => ForeignError::refused(format!("syntax error{at}")),
        // Names of the query, and nothing else, are in these: no table, column, function, schema or type of that name, no right.
        "42P01" | "42703" | "42883" | "42704" | "3F000" | "42501" | "42702" => {
            ForeignError::refused(of_names(database.message(), true, ""))
        }
        _ => {
            let what = format!("an error of the kind {code}{at} (SQLSTATE)");
            ForeignError::refused(of_names(database.message(), false, &what))
        }
    }
}
