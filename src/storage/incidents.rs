//! Incidents: opened and closed by what happens, told about by whoever claims the notice first.
//!
//! The beginning and the end of an incident are written in the transaction of what caused them, where that is one change of a
//! row (a key that is flagged, for example), so that none is lost. A notice is claimed by moving `notice_at` on: a second
//! instance finds it taken, and one that is never delivered, because its instance crashed, comes up again by itself.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
    UpdateMany, Value,
};

use super::{Database, StorageError};
use crate::domain::incident::{Incident, IncidentKind, NoticeEvent, next_try};
use crate::domain::store::{Origin, Store};
use crate::entity::incidents::{Column, Entity, Model};
use crate::entity::stores;

/// Whom an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// One store, by its key.
    Store(i64),
    /// All stores of a connector.
    Connector(&'a str),
    /// The import of credentials.
    Import,
}

/// Stands where the connector would.
const IMPORT: &str = "import";

/// How many notices are claimed at once.
const BATCH: u64 = 50;

/// Opens an incident, or notes that the open one lasts; the partial unique index decides which. Gives whether it is new.
/// `sentence` says what is wrong and what to do, redacted.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn begin(
    db: &Database,
    kind: IncidentKind,
    subject: Subject<'_>,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    begin_in(db.orm(), kind, subject, sentence, now).await.map_err(StorageError::query("open an incident"))
}

/// Notes that an incident lasts, if it is open; one that somebody has just closed stays closed.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn lasts(
    db: &Database,
    kind: IncidentKind,
    subject: Subject<'_>,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    lasts_in(db.orm(), kind, subject, sentence, now).await.map_err(StorageError::query("note that an incident lasts"))
}

async fn lasts_in(
    connection: &impl ConnectionTrait,
    kind: IncidentKind,
    subject: Subject<'_>,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let update = still_open(kind, subject)
        .col_expr(Column::LastSeenAt, Expr::value(now))
        .col_expr(Column::Sentence, Expr::value(sentence));
    Ok(update.exec(connection).await?.rows_affected > 0)
}

/// What is selected for an incident without a store.
const OF_NO_STORE: &str = "CAST(NULL AS BIGINT), CAST($4 AS TEXT) WHERE 1 = 1";

/// [`begin`] within a transaction.
pub(super) async fn begin_in(
    connection: &impl ConnectionTrait,
    kind: IncidentKind,
    subject: Subject<'_>,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    if lasts_in(connection, kind, subject, sentence, now).await? {
        return Ok(false);
    }
    let (source, id): (_, Value) = match subject {
        Subject::Store(id) => ("id, connector FROM stores WHERE id = $4", id.into()),
        Subject::Connector(name) => (OF_NO_STORE, name.into()),
        Subject::Import => (OF_NO_STORE, IMPORT.into()),
    };
    let sql = format!(
        "/* incidents::begin */ INSERT INTO incidents \
         (kind, opened_at, last_seen_at, notice_at, sentence, notice_tries, store_id, connector) \
         SELECT $1, $2, $2, $2, $3, 0, {source} ON CONFLICT DO NOTHING"
    );
    let values: [Value; 4] = [kind.as_str().into(), now.into(), sentence.into(), id];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected() > 0)
}

/// Closes the open incident of that kind, if there is one. Gives whether there was.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn end(
    db: &Database,
    kind: IncidentKind,
    subject: Subject<'_>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    end_in(db.orm(), kind, subject, now).await.map_err(StorageError::query("close an incident"))
}

/// [`end`] within a transaction.
pub(super) async fn end_in(
    connection: &impl ConnectionTrait,
    kind: IncidentKind,
    subject: Subject<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let over = still_open(kind, subject)
        .col_expr(Column::ClosedAt, Expr::value(now))
        .col_expr(Column::NoticeAt, Expr::value(now))
        .col_expr(Column::NoticeTries, Expr::value(0));
    Ok(over.exec(connection).await?.rows_affected > 0)
}

fn still_open(kind: IncidentKind, subject: Subject<'_>) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::Kind.eq(kind.as_str()))
        .filter(about(subject))
        .filter(Column::ClosedAt.is_null())
}

fn about(subject: Subject<'_>) -> Condition {
    match subject {
        Subject::Store(id) => Condition::all().add(Column::StoreId.eq(id)),
        Subject::Connector(name) => Condition::all().add(Column::StoreId.is_null()).add(Column::Connector.eq(name)),
        Subject::Import => about(Subject::Connector(IMPORT)),
    }
}

/// The incidents that are open now, oldest first: those of a store, its connector's included and the import's if it comes from
/// there, or all.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn open(db: &Database, of: Option<&Store>) -> Result<Vec<Incident>, StorageError> {
    let mut find = Entity::find().filter(Column::ClosedAt.is_null()).order_by_asc(Column::Id);
    if let Some(store) = of {
        let mut any =
            Condition::any().add(about(Subject::Store(store.id))).add(about(Subject::Connector(&store.connector)));
        if store.origin == Origin::Import {
            any = any.add(about(Subject::Import));
        }
        find = find.filter(any);
    }
    named(db, find.all(db.orm()).await.map_err(StorageError::query("list the open incidents"))?).await
}

/// The open outage of a connector, if there is one.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn open_outage(db: &Database, connector: &str) -> Result<Option<Incident>, StorageError> {
    let find = Entity::find()
        .filter(Column::Kind.eq(IncidentKind::VendorOutage.as_str()))
        .filter(about(Subject::Connector(connector)))
        .filter(Column::ClosedAt.is_null());
    let found = find.one(db.orm()).await.map_err(StorageError::query("look for an outage of the vendor"))?;
    found.map(|model| read(model, None)).transpose()
}

/// The newest outages of all connectors, newest first, open or over.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn newest_outages(db: &Database, limit: u64) -> Result<Vec<Incident>, StorageError> {
    let find = Entity::find()
        .filter(Column::Kind.eq(IncidentKind::VendorOutage.as_str()))
        .order_by_desc(Column::Id)
        .limit(limit);
    let found = find.all(db.orm()).await.map_err(StorageError::query("list the outages of vendors"))?;
    found.into_iter().map(|model| read(model, None)).collect()
}

/// Claims what is to be told now, oldest incident first: each for nobody else, until [`told`] or until it may be tried again.
/// Incidents that last are told again every `remind`.
///
/// # Errors
/// [`StorageError::Query`] or [`StorageError::Corrupt`].
pub async fn claim_notices(
    db: &Database,
    remind: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<(Incident, NoticeEvent)>, StorageError> {
    let doing = "claim the notices that are due";
    let find = Entity::find()
        .filter(Column::ToldClosedAt.is_null())
        .filter(Column::NoticeAt.lte(now))
        .order_by_asc(Column::Id)
        .limit(BATCH);
    let due = named(db, find.all(db.orm()).await.map_err(StorageError::query(doing))?).await?;
    let mut claimed = Vec::with_capacity(due.len());
    for incident in due {
        let Some(event) = incident.untold(now, remind) else { continue };
        let update = Entity::update_many()
            .filter(Column::Id.eq(incident.id))
            .filter(Column::NoticeAt.eq(incident.notice_at))
            .filter(Column::NoticeTries.eq(i64::from(incident.notice_tries)))
            .col_expr(Column::NoticeAt, Expr::value(next_try(incident.notice_tries, now)))
            .col_expr(Column::NoticeTries, Expr::col(Column::NoticeTries).add(1));
        if update.exec(db.orm()).await.map_err(StorageError::query(doing))?.rows_affected > 0 {
            claimed.push((incident, event));
        }
    }
    Ok(claimed)
}

/// Notes that a claimed notice was delivered; the next one of that incident is due when it is over, or after `remind`.
///
/// # Errors
/// [`StorageError::Query`].
pub async fn told(
    db: &Database,
    incident_id: i64,
    event: NoticeEvent,
    remind: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let column = match event {
        NoticeEvent::Opened => Column::ToldOpenedAt,
        NoticeEvent::StillOpen => Column::ToldRemindedAt,
        NoticeEvent::Closed => Column::ToldClosedAt,
    };
    let next = Expr::case(Column::ClosedAt.is_null(), now + remind).finally(now);
    let update = Entity::update_many()
        .filter(Column::Id.eq(incident_id))
        .col_expr(column, Expr::value(now))
        .col_expr(Column::NoticeAt, next.into())
        .col_expr(Column::NoticeTries, Expr::value(0));
    update.exec(db.orm()).await.map(drop).map_err(StorageError::query("note that a notice was delivered"))
}

/// Adds the names of the stores.
async fn named(db: &Database, models: Vec<Model>) -> Result<Vec<Incident>, StorageError> {
    let ids: Vec<_> = models.iter().filter_map(|model| model.store_id).collect();
    let mut names = HashMap::new();
    if !ids.is_empty() {
        let find = stores::Entity::find().filter(stores::Column::Id.is_in(ids));
        let found = find.all(db.orm()).await.map_err(StorageError::query("read the stores of incidents"))?;
        names.extend(found.into_iter().map(|store| (store.id, store.name)));
    }
    models
        .into_iter()
        .map(|model| {
            let name = model.store_id.and_then(|id| names.get(&id).cloned());
            read(model, name)
        })
        .collect()
}

fn read(model: Model, store: Option<String>) -> Result<Incident, StorageError> {
    let corrupt = |column| StorageError::Corrupt { table: "incidents", row: model.id.to_string(), column };
    Ok(Incident {
        id: model.id,
        kind: IncidentKind::parse(&model.kind).ok_or_else(|| corrupt("kind"))?,
        store_id: model.store_id,
        store,
        connector: model.connector,
        opened_at: model.opened_at,
        last_seen_at: model.last_seen_at,
        closed_at: model.closed_at,
        sentence: model.sentence,
        told_opened_at: model.told_opened_at,
        told_reminded_at: model.told_reminded_at,
        told_closed_at: model.told_closed_at,
        notice_at: model.notice_at,
        notice_tries: u32::try_from(model.notice_tries).unwrap_or(u32::MAX),
    })
}
