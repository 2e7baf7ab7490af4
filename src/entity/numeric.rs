//! Exact decimals of both engines.

use rust_decimal::Decimal;
use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, QueryResult, TryGetError, TryGetable, Value};

/// A decimal column.
///
/// SQLite's NUMERIC affinity stores `12.00` as the integer 12 and `12.5` as a real; sea-orm's own `Decimal` reads
/// reals only and fails on the integers. Reals of up to 15 digits come back as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numeric(pub Decimal);

impl TryGetable for Numeric {
    fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
        match Decimal::try_get_by(row, column) {
            Err(TryGetError::DbErr(_)) => i64::try_get_by(row, column).map(|whole| Self(Decimal::from(whole))),
            read => read.map(Self),
        }
    }
}

impl From<Numeric> for Value {
    fn from(number: Numeric) -> Self {
        number.0.into()
    }
}

impl ValueType for Numeric {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <Decimal as ValueType>::try_from(value).map(Self)
    }

    fn type_name() -> String {
        "Numeric".to_owned()
    }

    fn array_type() -> ArrayType {
        <Decimal as ValueType>::array_type()
    }

    fn column_type() -> ColumnType {
        ColumnType::custom("numeric")
    }
}

impl Nullable for Numeric {
    fn null() -> Value {
        <Decimal as Nullable>::null()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, DbBackend, SqlxSqliteConnector, Statement};
    use sqlx::SqlitePool;

    use super::*;

    #[tokio::test]
    async fn sqlite_decimals_come_back_as_written() {
        let pool = SqlitePool::connect("sqlite::memory:").await.expect("a database in memory");
        let db = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
        db.execute_unprepared("CREATE TABLE t (price numeric)").await.expect("a table");
        for written in ["12", "12.5", "0.1", "-1234567890123.45", "99999999999999.9", "0.000000001", "9007199254740993"]
        {
            let sql = format!("INSERT INTO t (price) VALUES ('{written}') RETURNING price");
            let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.expect(written);
            let read: Numeric = row.expect("one row").try_get_by_index(0).expect("a number");
            assert_eq!(read.0, written.parse::<Decimal>().expect("a decimal"));
        }
        let row = db
            .query_one_raw(Statement::from_string(DbBackend::Sqlite, "SELECT price FROM t WHERE 0 UNION SELECT NULL"));
        let read: Option<Numeric> = row.await.expect("read").expect("one row").try_get_by_index(0).expect("NULL");
        assert_eq!(read, None);
    }
}
