//! A check whether changes are recorded as they should be, fast enough to run every few
//! seconds.

mod queries;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Timestamptz};
use serde::{Deserialize, Serialize};

use self::queries::ModelState;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::forms::FormatVersion;
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::model::{Models, PolicyCall, TableSpec};
use crate::record::{TIME_FORMAT, portable};
use crate::run::installed_version;
use crate::verify::{Finding, FindingCode, Severity};
use crate::version::SCHEMA_VERSION;

/// The number of waiting entries above which a warning is reported; entries older than
/// [`LONG`] are reported too.
const MANY: i64 = 100_000;

const LONG: TimeDelta = TimeDelta::hours(1);

/// The result of [`Models::health`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Health {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// Whether changes are recorded as the models declare: no finding is an error.
    pub healthy: bool,
    /// The installed version of the audit schema.
    pub installed_version: Option<i32>,
    /// The version that this crate needs.
    pub needed_version: i32,
    /// All findings, most severe first.
    pub findings: Vec<Finding>,
    /// One entry for each model, in the order of the list. Empty if the schema is missing
    /// or too old.
    pub models: Vec<ModelHealth>,
    /// Figures on the audit. `None` if the schema is missing or too old.
    pub counters: Option<Counters>,
}

/// A model and its table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ModelHealth {
    /// The name of the model; without a model, the name of the table.
    pub model: String,
    /// The qualified name of the table, quoted as in SQL. If the table does not exist, its
    /// name as in the model.
    pub table: String,
    /// Whether the table is audited. [`Health::findings`] has the problems.
    pub audited: bool,
}

/// Figures on the audit of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Counters {
    /// The number of audited tables.
    #[diesel(sql_type = BigInt)]
    pub audited_tables: i64,
    /// The number of journal entries that are not in the ledger yet. From 10,000 on, it is
    /// an estimate by their ids.
    #[diesel(sql_type = BigInt)]
    pub entries_waiting: i64,
    /// The time at which the oldest of them was captured. With more than 10,000 entries,
    /// the oldest of those read.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub oldest_waiting: Option<DateTime<Utc>>,
    /// The time at which entries were last moved into the ledger.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub last_posting: Option<DateTime<Utc>>,
    /// The number of entries that could not be posted. They are in `threadline.unposted`.
    #[diesel(sql_type = BigInt)]
    pub entries_set_aside: i64,
    /// The number of changes recorded in the last 24 hours, an estimate by their positions.
    #[diesel(sql_type = BigInt)]
    pub changes_last_day: i64,
    /// The growth of the ledger in the last 24 hours in bytes, an estimate that takes the
    /// average size of all kept changes, with indexes, for each of those changes.
    #[diesel(sql_type = BigInt)]
    pub bytes_last_day: i64,
    /// The size of the ledger on disk in bytes, with its indexes.
    #[diesel(sql_type = BigInt)]
    pub ledger_bytes: i64,
    /// The number of transactions with changes among the newest 1,000 posted transactions.
    #[diesel(sql_type = BigInt)]
    pub recent_transactions: i64,
    /// The number of those without an actor.
    #[diesel(sql_type = BigInt)]
    pub unattributed_transactions: i64,
    /// The time at which the oldest kept change was captured.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub oldest_change: Option<DateTime<Utc>>,
}

impl Counters {
    /// Returns the share of the recent transactions that have no actor, from 0 to 1.
    pub fn unattributed_share(&self) -> f64 {
        if self.recent_transactions == 0 {
            return 0.0;
        }
        self.unattributed_transactions as f64 / self.recent_transactions as f64
    }
}

impl Models {
    /// Checks whether changes are recorded as these models declare, and returns figures on
    /// the audit, for the health check of a load balancer or a monitoring agent.
    ///
    /// It runs a fixed number of queries, independent of the number of tables, and reads
    /// only catalogs and counters: the version of the schema, missing or disabled triggers,
    /// changed columns, and policies that differ from the models. It does not check
    /// functions, histories and rows; [`verify`](Models::verify) does.
    ///
    /// It raises no alarm in a rolling deploy: a database with a newer schema, or with a
    /// policy that replaced the one this process knows, is only a notice. A model whose
    /// policy was never in force is an error, because its migration has not been run.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # use diesel::connection::SimpleConnection;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::FindingCode;
    ///
    /// let models = threadline::models![User];
    /// let health = models.health(conn)?;
    /// assert!(health.healthy);
    /// println!("{} entries wait", health.counters.unwrap().entries_waiting);
    ///
    /// conn.batch_execute("ALTER TABLE users DISABLE TRIGGER ALL")?;
    /// let health = models.health(conn)?;
    /// assert!(!health.healthy);
    /// assert_eq!(health.findings[0].code, FindingCode::TriggerDisabled);
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the query fails, or if the role may not use the audit schema.
    pub fn health<'c, C: AuditConnection>(
        &'c self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Health, Error>> {
        C::answer(self.look(conn))
    }

    async fn look<C: AuditConnection>(&self, conn: &mut C) -> Result<Health, Error> {
        let installed_version = installed_version(conn).await?;
        let of_schema = of_schema(installed_version);
        let mut health = Health {
            format_version: FormatVersion::default(),
            healthy: false,
            installed_version,
            needed_version: SCHEMA_VERSION,
            findings: of_schema.into_iter().collect(),
            models: vec![],
            counters: None,
        };
        if installed_version >= Some(SCHEMA_VERSION) {
            health
                .findings
                .extend(queries::structure_drift(conn).await?);
            let states = queries::models(conn, self.specs()).await?;
            for (spec, state) in self.specs().iter().zip(states) {
                health.models.push(ModelHealth {
                    model: spec.model.clone(),
                    table: state.name.clone().unwrap_or_else(|| spec.table.clone()),
                    audited: state.audited,
                });
                let known =
                    |finding: &Finding| finding.table.is_some() && finding.table == state.name;
                // Unless another finding already reports that the table is not audited.
                if state.audited || !health.findings.iter().any(known) {
                    health.findings.extend(of_model(spec, state));
                }
            }
            let counters = queries::counters(conn).await?;
            health.findings.extend(of_journal(&counters));
            health.counters = Some(counters);
        }
        health.findings.sort_by_key(Finding::severity);
        health.healthy = health
            .findings
            .iter()
            .all(|finding| finding.severity() != Severity::Error);
        Ok(health)
    }
}

fn of_schema(installed: Option<i32>) -> Option<Finding> {
    let needed = SCHEMA_VERSION;
    let (code, message) = match installed {
        None => (
            FindingCode::SchemaMissing,
            "the audit schema is not installed; generate and run migrations".to_owned(),
        ),
        Some(version) if version < needed => (
            FindingCode::SchemaOutdated,
            format!(
                "the audit schema is version {version}, and this crate needs {needed}; generate and run migrations"
            ),
        ),
        Some(version) if version > needed => (
            FindingCode::SchemaNewer,
            format!("the audit schema is version {version}, newer than the {needed} of this crate"),
        ),
        Some(_) => return None,
    };
    Some(Finding::new(code, None, message, None))
}

fn of_model(spec: &TableSpec, state: ModelState) -> Option<Finding> {
    let by = spec.declared_by();
    let call = Some(PolicyCall(spec).to_string());
    let ModelState {
        name,
        audited,
        same_policy,
        in_force_until,
    } = state;
    let (code, message, fix) = match (&name, in_force_until) {
        (None, _) => (
            FindingCode::ModelTableMissing,
            format!("the table of {by} does not exist"),
            None,
        ),
        _ if same_policy => return None,
        _ if !audited => (
            FindingCode::ModelNotAudited,
            format!("{by} declares it audited, but it is not"),
            call,
        ),
        (_, Some(until)) => (
            FindingCode::PolicyReplaced,
            format!(
                "the policy of {by} was in force until {}, and another one has replaced it; also replace processes that are older than the migrations of the database",
                until.format(TIME_FORMAT)
            ),
            None,
        ),
        (_, None) => (
            FindingCode::PolicyDiffers,
            format!("it is audited under another policy than that of {by}"),
            call,
        ),
    };
    Some(Finding::new(
        code,
        name.or_else(|| Some(spec.table.clone())),
        message,
        fix,
    ))
}

fn of_journal(counters: &Counters) -> Option<Finding> {
    let Counters {
        entries_waiting,
        oldest_waiting,
        ..
    } = *counters;
    let long = oldest_waiting.is_some_and(|oldest| Utc::now() - oldest > LONG);
    (entries_waiting > MANY || long).then(|| {
        let since = oldest_waiting.map_or(String::new(), |oldest| {
            format!(", the oldest since {}", oldest.format(TIME_FORMAT))
        });
        Finding::new(
            FindingCode::JournalWaiting,
            Some("threadline.journal".to_owned()),
            format!(
                "{entries_waiting} entries wait{since}; run a worker, or schedule threadline.post()"
            ),
            Some("SELECT threadline.post();".to_owned()),
        )
    })
}
