//! A tool for developers of migrations: `DATABASE_URL=… cargo run -p migration -- up|down|status`.
//!
//! Operators use `netosync db`, which also takes the locks that let several instances start at once.

use migration::{Migrator, MigratorTrait};
use sea_orm_migration::sea_orm::{Database, DbErr};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), DbErr> {
    let url = std::env::var("DATABASE_URL").map_err(|_| DbErr::Custom("set DATABASE_URL".to_owned()))?;
    let db = Database::connect(url).await?;
    match std::env::args().nth(1).as_deref() {
        Some("up") => Migrator::up(&db, None).await,
        Some("down") => Migrator::down(&db, Some(1)).await,
        Some("status") => {
            for migration in Migrator::get_migration_with_status_read_only(&db).await? {
                println!("{} {}", migration.name(), migration.status());
            }
            Ok(())
        }
        _ => Err(DbErr::Custom("say one of: up, down, status".to_owned())),
    }
}
