use diesel::QueryableByName;
use diesel::result::QueryResult;
use diesel::sql_types::{Array, Bool, Jsonb, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::{ModelStatus, Schema, VERSIONS, Way};
use crate::connection::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::forms::FormatVersion;
use crate::model::{ColumnPolicy, Models, PolicyCall, TableSpec, UndecidedColumn};
use crate::posting::{Waiting, how_many_wait};
use crate::run::{self, installed_version};
use crate::transactions::Open;
use crate::version::SCHEMA_VERSION;

/// Serialises installations. The lock belongs to the transaction, so it is safe behind a
/// pooler.
pub(super) const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(7236831)";

/// How long a policy waits for the lock on its table. Later writers wait behind it for as
/// long.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '10s'";

/// The state of the audit in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Status {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// The installed version of the audit schema.
    pub installed_version: Option<i32>,
    /// The version that this crate needs.
    pub needed_version: i32,
    /// The role that owns the audit schema, and so can change recorded data; see
    /// [`Protection`](crate::Protection).
    pub owner: Option<String>,
    /// Whether an event trigger records changes of the triggers of audited tables.
    /// [`Protection`](crate::Protection) creates it if the administrator has the privilege.
    pub watched: bool,
    /// The state of the journal. `None` if the schema is missing or too old, or if this
    /// role may not read it.
    pub waiting: Option<Waiting>,
    /// One entry for each model, in the order of the list.
    pub models: Vec<TableStatus>,
}

/// A model and its table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TableStatus {
    /// The name of the model.
    pub model: String,
    /// The quoted name of the table.
    pub table: String,
    /// How the table is audited.
    pub status: ModelStatus,
}

impl Status {
    /// Returns whether the database matches the models.
    pub fn is_current(&self) -> bool {
        self.installed_version >= Some(self.needed_version)
            && self.models.iter().all(|model| {
                matches!(
                    model.status,
                    ModelStatus::Current | ModelStatus::ColumnsAdded
                )
            })
    }
}

impl Models {
    /// Brings a database up to date with this crate and these models, for applications that
    /// migrate at start-up. It is safe when many processes call it at once, and does
    /// nothing if nothing is missing. Each table is audited in its own transaction, so no
    /// lock is held while it waits for another table.
    ///
    /// ```no_run
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # fn start(conn: &mut diesel::PgConnection) -> Result<(), threadline::Error> {
    /// threadline::models![User].install(conn)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error if a column whose name suggests a secret has no explicit policy, or
    /// if the table of a model is missing; nothing is changed then. Returns an error if a
    /// query fails or a table stays locked for 10 seconds; the tables before it are then
    /// audited, and a second call continues with this table.
    pub fn install<'c, C: AuditConnection>(
        &'c self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<(), Error>> {
        C::answer(async move {
            self.require_decisions()?;
            let mut open = Open::begin(conn, None).await?;
            let installed = self.install_schema(open.conn()).await;
            open.end(installed).await?;
            for spec in self.specs() {
                let mut open = Open::begin(conn, None).await?;
                let installed = install_policy(open.conn(), spec).await;
                open.end(installed).await?;
            }
            Ok(())
        })
    }

    /// Returns an error for undecided columns that look secret, before they are recorded.
    pub(crate) fn require_decisions(&self) -> Result<(), Error> {
        let mut columns = vec![];
        for spec in self.specs() {
            for column in spec.undecided() {
                columns.push(UndecidedColumn {
                    model: spec.model.clone(),
                    file: None,
                    table: spec.table.clone(),
                    column: column.to_owned(),
                    is_key: spec.key.iter().any(|name| name == column),
                });
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Undecided { columns }))
    }

    async fn install_schema<C: AuditConnection>(&self, conn: &mut C) -> Result<(), Error> {
        conn.batch(LOCK).await?;
        let installed = installed_version(conn).await?.unwrap_or(0);
        if installed < SCHEMA_VERSION {
            let way = Way {
                from: 0,
                to: SCHEMA_VERSION,
            };
            conn.batch(&Schema(VERSIONS).up(way, None)).await?;
        }
        self.require_tables(conn).await?;
        let columns = self.undecided_columns(conn).await?;
        if columns.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Undecided { columns }))
    }

    /// Returns the columns whose names suggest a secret and that have no explicit policy,
    /// in tables without a model that are not audited as declared here.
    /// [`TableSpec::undecided`] returns those of a model.
    ///
    /// # Errors
    ///
    /// Returns an error if the query fails.
    pub fn undecided<'c, C: AuditConnection>(
        &'c self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Vec<UndecidedColumn>, Error>> {
        C::answer(self.undecided_columns(conn))
    }

    async fn undecided_columns<C: AuditConnection>(
        &self,
        conn: &mut C,
    ) -> Result<Vec<UndecidedColumn>, Error> {
        #[derive(QueryableByName)]
        struct Column {
            #[diesel(sql_type = Text)]
            column: String,
            #[diesel(sql_type = Bool)]
            is_key: bool,
        }
        let mut undecided = vec![];
        for spec in self.specs().iter().filter(|spec| spec.file.is_some()) {
            if model_status(conn, spec).await? == ModelStatus::Current {
                continue;
            }
            let decided = spec.policy.decided();
            let query = diesel::sql_query(include_str!("undecided.sql"))
                .bind::<Text, _>(&spec.table)
                .bind::<Array<Text>, _>(decided)
                .bind::<Bool, _>(!spec.policy.columns.is_empty());
            let columns: Vec<Column> = run::load(conn, query).await?;
            undecided.extend(columns.into_iter().map(|found| UndecidedColumn {
                model: spec.model.clone(),
                file: spec.file.clone(),
                table: spec.table.clone(),
                column: found.column,
                is_key: found.is_key,
            }));
        }
        Ok(undecided)
    }

    async fn require_tables<C: AuditConnection>(&self, conn: &mut C) -> Result<(), Error> {
        for spec in self.specs() {
            if model_status(conn, spec).await? == ModelStatus::TableMissing {
                return Err(Error::new(ErrorKind::TableMissing {
                    declared_by: spec.declared_by(),
                    table: spec.table.clone(),
                }));
            }
        }
        Ok(())
    }

    /// Compares a database with these models. Changes nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the query fails.
    pub fn status<'c, C: AuditConnection>(
        &'c self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Status, Error>> {
        C::answer(async move {
            let installed_version = installed_version(conn).await?;
            let mut models = vec![];
            for spec in self.specs() {
                let status = match installed_version {
                    None => ModelStatus::NotAudited,
                    Some(version) if version < SCHEMA_VERSION => ModelStatus::SchemaOutdated,
                    Some(_) => model_status(conn, spec).await?,
                };
                models.push(TableStatus {
                    model: spec.model.clone(),
                    table: spec.table.clone(),
                    status,
                });
            }
            let is_current = installed_version >= Some(SCHEMA_VERSION);
            let waiting = if is_current && reads_waiting(conn).await? {
                Some(how_many_wait(conn).await?)
            } else {
                None
            };
            Ok(Status {
                format_version: FormatVersion::default(),
                installed_version,
                needed_version: SCHEMA_VERSION,
                owner: owner(conn).await?,
                watched: watched(conn).await?,
                waiting,
                models,
            })
        })
    }
}

async fn install_policy<C: AuditConnection>(conn: &mut C, spec: &TableSpec) -> Result<(), Error> {
    conn.batch(LOCK).await?;
    if model_status(conn, spec).await? != ModelStatus::Current {
        conn.batch(LOCK_TIMEOUT).await?;
        conn.batch(&PolicyCall(spec).to_string()).await?;
    }
    Ok(())
}

/// Returns the role that owns the audit schema.
pub async fn owner<C: AuditConnection>(conn: &mut C) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Owner {
        #[diesel(sql_type = Nullable<Text>)]
        owner: Option<String>,
    }
    let query = diesel::sql_query(
        "SELECT (SELECT r.rolname::text FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS r ON r.oid = n.nspowner \
         WHERE n.nspname = 'threadline') AS owner",
    );
    let found: Owner = run::one(conn, query).await?;
    Ok(found.owner)
}

/// Returns whether this role may read the state of the journal.
async fn reads_waiting<C: AuditConnection>(conn: &mut C) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Reads {
        #[diesel(sql_type = Bool)]
        reads: bool,
    }
    let query = diesel::sql_query(
        "SELECT pg_catalog.has_table_privilege('threadline.waiting', 'SELECT') AS reads",
    );
    let found: Reads = run::one(conn, query).await?;
    Ok(found.reads)
}

/// Returns whether the event triggers exist and fire.
pub async fn watched<C: AuditConnection>(conn: &mut C) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Watched {
        #[diesel(sql_type = Bool)]
        watched: bool,
    }
    let query = diesel::sql_query(
        "SELECT pg_catalog.count(*) = 3 AS watched FROM pg_catalog.pg_event_trigger \
         WHERE evtname IN ('threadline_watch', 'threadline_watch_drops', 'threadline_watch_rewrites') AND evtenabled IN ('A', 'O')",
    );
    let found: Watched = run::one(conn, query).await?;
    Ok(found.watched)
}

pub(crate) async fn model_status<C>(conn: &mut C, spec: &TableSpec) -> QueryResult<ModelStatus>
where
    C: AuditConnection,
{
    #[derive(QueryableByName)]
    struct State {
        #[diesel(sql_type = Bool)]
        exists: bool,
        #[diesel(sql_type = Bool)]
        audited: bool,
        #[diesel(sql_type = Bool)]
        same_policy: bool,
        #[diesel(sql_type = Bool)]
        same_capture: bool,
        #[diesel(sql_type = Bool)]
        columns_added: bool,
        #[diesel(sql_type = Bool)]
        same_triggers: bool,
    }
    let query = diesel::sql_query(include_str!("model_status.sql"))
        .bind::<Text, _>(&spec.table)
        .bind::<Array<Text>, _>(spec.policy.columns_with(ColumnPolicy::Mask))
        .bind::<Array<Text>, _>(spec.policy.columns_with(ColumnPolicy::Exclude))
        .bind::<Bool, _>(spec.policy.require_actor)
        .bind::<Array<Text>, _>(&spec.policy.columns)
        .bind::<Array<Text>, _>(&spec.policy.operations)
        .bind::<Nullable<Text>, _>(&spec.policy.condition)
        .bind::<Array<Text>, _>(spec.policy.columns_with(ColumnPolicy::Plain))
        .bind::<Array<Text>, _>(spec.policy.columns_with(ColumnPolicy::Hash))
        .bind::<Array<Text>, _>(&spec.policy.ignore)
        .bind::<Nullable<Text>, _>(&spec.policy.keep)
        .bind::<Array<Text>, _>(&spec.policy.personal)
        .bind::<Nullable<Jsonb>, _>(spec.policy.subject_json());
    let state: State = run::one(conn, query).await?;
    Ok(match state {
        State { exists: false, .. } => ModelStatus::TableMissing,
        State { audited: false, .. } => ModelStatus::NotAudited,
        State {
            same_policy: false, ..
        } => ModelStatus::PolicyDiffers,
        State {
            same_capture: false,
            ..
        } => ModelStatus::CaptureOutdated,
        State {
            same_triggers: false,
            ..
        } => ModelStatus::TriggersAltered,
        State {
            columns_added: true,
            ..
        } => ModelStatus::ColumnsAdded,
        _ => ModelStatus::Current,
    })
}
