//! Checks whether the audit of a database is intact: triggers, functions, policies, and the
//! recorded changes themselves.

mod finding;
mod queries;
mod secrets;
mod steps;

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use finding::{BrokenRecord, Finding, FindingCode, Severity};
pub use steps::{ResumePoint, VerifyProgress};

pub(crate) use self::queries::findings;
use self::queries::{Audited, Suspended, Unattributed};
use crate::connection::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::forms::FormatVersion;
use crate::install::{ModelStatus, model_status};
use crate::model::{Models, PolicyCall, TableSpec};
use crate::posting::post_before_reading;
use crate::record::TIME_FORMAT;
use crate::run::require_schema;
use crate::telemetry::{Clock, Found, Level, Verified};

/// The options of a verification. [`Models::verify`] returns it.
#[derive(Debug, Clone)]
#[must_use = "nothing is verified before `run`"]
pub struct Verify<'a> {
    models: &'a Models,
    table: Option<String>,
    since: Option<DateTime<Utc>>,
    allowed: Vec<String>,
    examples: usize,
    resume: Option<ResumePoint>,
}

/// The result of [`Verify::run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verification {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// All findings, most severe first.
    pub findings: Vec<Finding>,
    /// The place to resume at if the verification was stopped before its end; see
    /// [`Verify::run_in_steps`].
    pub stopped: Option<ResumePoint>,
}

impl Verification {
    /// Returns whether the audit is intact: there are no errors, but there may be warnings.
    pub fn is_sound(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// Returns the findings for tables that are not audited. They are notices, unless every
    /// table is to be audited. They include the table of a model that is missing in
    /// [`models!`](crate::models!).
    pub fn unaudited(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| {
            matches!(
                finding.code,
                FindingCode::TableUnaudited | FindingCode::TableReplaced
            )
        })
    }

    /// Returns the number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of = |finding: &&Finding| finding.severity() == severity;
        self.findings.iter().filter(of).count()
    }

    fn for_telemetry(&self) -> Verified<'_> {
        let findings = self.findings.iter().map(|finding| Found {
            code: finding.code.as_str(),
            level: match finding.severity() {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
                Severity::Info | Severity::Unrecognized(_) => Level::Info,
            },
            records: finding.records,
        });
        Verified {
            is_stopped: self.stopped.is_some(),
            findings: findings.collect(),
        }
    }
}

impl Models {
    /// Checks whether the audit of a database is intact. Changes nothing that is recorded.
    /// Run it every night, and before you rely on a history.
    ///
    /// It finds triggers that are missing, disabled or altered, including those of
    /// partitions; columns and keys that changed without `threadline.refresh`; policies
    /// that differ from the models; tables that are not audited; and columns whose names
    /// suggest a secret but that are recorded as they are. It also finds writes that
    /// bypassed the triggers, whoever made them and however they were concealed: each
    /// change must have found the row as the change before it left it, and the last change
    /// must have left the present row.
    ///
    /// It counts transactions without an actor among the newest 10,000 posted transactions,
    /// and reports which role and application changed which tables in them: there, a
    /// context is still missing.
    ///
    /// It does not use PostgreSQL's counters in `pg_stat_user_tables`. They include writes
    /// that were rolled back and updates that changed nothing, so a difference to the
    /// recorded changes proves nothing. It cannot detect a row that was both inserted and
    /// deleted bypassing the triggers, nor bypassing writes to a table without a key or to
    /// a table whose policy records only a part.
    ///
    /// [`check`](Models::check) needs no database: it checks whether migrations are
    /// missing. [`status`](Models::status) checks whether they have been run, and
    /// [`health`](Models::health), for a load balancer, whether changes are recorded.
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
    /// assert!(models.verify().run(conn)?.is_sound());
    ///
    /// conn.batch_execute(
    ///     "ALTER TABLE users DISABLE TRIGGER ALL;
    ///      UPDATE users SET name = 'Eve' WHERE id = 42;
    ///      ALTER TABLE users ENABLE TRIGGER ALL;
    ///      SELECT threadline.refresh('users');",
    /// )?;
    /// let verification = models.verify().run(conn)?;
    /// let finding = &verification.findings[0];
    /// assert_eq!(finding.code, FindingCode::RowAltered);
    /// assert_eq!(finding.examples[0].expected.as_ref().unwrap()["name"], "Ada");
    /// assert_eq!(finding.examples[0].found.as_ref().unwrap()["name"], "Eve");
    /// # Ok::<(), threadline::Error>(())
    /// ```
    pub fn verify(&self) -> Verify<'_> {
        Verify {
            models: self,
            table: None,
            since: None,
            allowed: vec![],
            examples: 10,
            resume: None,
        }
    }
}

/// A callback for each step, which decides whether to continue.
type Progress<'p> = dyn FnMut(&VerifyProgress) -> ControlFlow<()> + Send + 'p;

impl<'a> Verify<'a> {
    /// Checks one table only, named as in SQL.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// Compares only changes from an instant on. Earlier findings that were investigated
    /// are not reported again, and a long history takes less time.
    pub fn since(mut self, since: DateTime<Utc>) -> Self {
        self.since = Some(since);
        self
    }

    /// Sets the tables, named as in SQL, that need not be audited.
    pub fn allow_unaudited<T: Into<String>>(mut self, tables: impl IntoIterator<Item = T>) -> Self {
        self.allowed.extend(tables.into_iter().map(Into::into));
        self
    }

    /// Sets the maximum number of example records for each finding. All records are
    /// counted.
    pub fn examples(mut self, examples: usize) -> Self {
        self.examples = examples;
        self
    }

    /// Runs the checks.
    ///
    /// # Errors
    ///
    /// Returns an error if the checks cannot run: the audit schema is missing or too old,
    /// the table does not exist, or a query fails.
    pub fn run<'c, C: AuditConnection>(
        self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Verification, Error>>
    where
        'a: 'c,
    {
        C::answer(async move {
            let mut go_on = |_: &VerifyProgress| ControlFlow::Continue(());
            let clock = Clock::start();
            clock.verified(
                self.verify(conn, None, &mut go_on).await,
                Verification::for_telemetry,
            )
        })
    }

    /// Resumes a run that was stopped. Histories that were compared are not compared again.
    pub fn resume(mut self, at: ResumePoint) -> Self {
        self.resume = Some(at);
        self
    }

    /// Runs the checks and compares histories in steps of about the given number of
    /// changes, for a large ledger. Each step takes its own snapshot, needs little memory,
    /// and reads the table once. `progress` is called after each step and stops the run
    /// with [`ControlFlow::Break`]. A stopped run and the runs that resume it find together
    /// what one complete run finds.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use std::ops::ControlFlow;
    ///
    /// let models = threadline::models![User];
    /// let mut verification = models.verify().run_in_steps(conn, 100_000, |at| {
    ///     println!("{}: {} of {} tables", at.table, at.tables_done, at.tables);
    ///     ControlFlow::Break(())
    /// })?;
    /// while let Some(point) = verification.stopped {
    ///     verification = models.verify().resume(point).run(conn)?;
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`run`](Self::run).
    pub fn run_in_steps<'c, C: AuditConnection>(
        self,
        conn: &'c mut C,
        changes: u32,
        mut progress: impl FnMut(&VerifyProgress) -> ControlFlow<()> + Send + 'c,
    ) -> C::Answer<'c, Result<Verification, Error>>
    where
        'a: 'c,
    {
        C::answer(async move {
            let clock = Clock::start();
            let done = self.verify(conn, Some(changes.max(1)), &mut progress).await;
            clock.verified(done, Verification::for_telemetry)
        })
    }

    async fn verify<C: AuditConnection>(
        self,
        conn: &mut C,
        changes: Option<u32>,
        progress: &mut Progress<'_>,
    ) -> Result<Verification, Error> {
        require_schema(conn).await?;
        let only = match self.table.as_deref() {
            Some(table) => Some(named(conn, table).await?),
            None => None,
        };

        let mut findings = queries::table_drift(conn, only.as_deref()).await?;
        let of_models = self
            .model_findings(conn, only.as_deref(), &findings)
            .await?;
        if only.is_none() {
            let mut unaudited = queries::unaudited_tables(conn, &self.allowed).await?;
            unaudited.retain(|finding| of_models.iter().all(|of| of.table != finding.table));
            findings.extend(unaudited);
        }
        findings.extend(of_models);
        findings.extend(self.secret_findings(conn, only.as_deref()).await?);
        // Runs after the check of waiting entries.
        post_before_reading(conn).await;
        let tables = queries::audited(conn, only.as_deref()).await?;
        let (broken, stopped) = self.chains(conn, &tables, changes, progress).await?;
        findings.extend(broken);
        findings.extend(queries::gaps(conn, self.since, only.as_deref()).await?);
        findings.extend(
            queries::suspended(conn, self.since)
                .await?
                .map(of_suspended),
        );
        if only.is_none() {
            findings.extend(
                queries::unattributed(conn, self.since)
                    .await?
                    .map(of_unattributed),
            );
        }
        findings.sort_by_key(Finding::severity);
        Ok(Verification {
            format_version: FormatVersion::default(),
            findings,
            stopped,
        })
    }

    /// Returns findings for models that are not in force. Tables without triggers are
    /// reported elsewhere.
    async fn model_findings<C: AuditConnection>(
        &self,
        conn: &mut C,
        only: Option<&str>,
        drifted: &[Finding],
    ) -> Result<Vec<Finding>, Error> {
        let mut findings = vec![];
        for spec in self.models.specs() {
            let table = queries::qualified(conn, &spec.table).await?;
            if only.is_some() && only != table.as_deref() {
                continue;
            }
            let gone = |finding: &Finding| {
                finding.table == table
                    && matches!(
                        finding.code,
                        FindingCode::TriggerMissing
                            | FindingCode::TriggerAltered
                            | FindingCode::TableRecreated
                    )
            };
            let status = model_status(conn, spec).await?;
            if status == ModelStatus::NotAudited && drifted.iter().any(gone) {
                continue;
            }
            findings.extend(of_model(spec, status, table));
        }
        Ok(findings)
    }
}

fn unchecked(table: &Audited, obstacle: &str) -> Finding {
    let message = format!("its history was not compared with its rows: {obstacle}");
    Finding::new(
        FindingCode::ChainUnchecked,
        Some(table.name.clone()),
        message,
        None,
    )
}

/// Returns the qualified name of the given table.
async fn named<C: AuditConnection>(conn: &mut C, table: &str) -> Result<String, Error> {
    queries::qualified(conn, table).await?.ok_or_else(|| {
        Error::new(ErrorKind::NotAudited {
            table: table.to_owned(),
        })
    })
}

fn of_suspended(suspended: Suspended) -> Finding {
    let Suspended {
        transactions,
        sessions,
        occurred_at,
        actor,
        reason,
    } = suspended;
    let those: Vec<_> = [(transactions, "transaction"), (sessions, "session")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let those = those.join(" and ");
    let last = occurred_at.format(TIME_FORMAT);
    let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
    let message = format!(
        "capture was suspended in {those}, and their later writes are not recorded; the last began {last}, by {actor}{reason}; \
         see `audit timeline --action audit.suspended`"
    );
    Finding::new(FindingCode::CaptureSuspended, None, message, None)
}

fn of_unattributed(found: Unattributed) -> Finding {
    let Unattributed {
        unattributed,
        transactions,
        since,
        sources,
    } = found;
    let since = since.format(TIME_FORMAT);
    let in_each = match sources.matches(" by role ").count() > 1 {
        true => " (a transaction counts for each of its tables)",
        false => "",
    };
    let message = format!(
        "{unattributed} of {transactions} posted transactions with changes since {since} have no actor: {sources}{in_each}"
    );
    let table = Some("threadline.audit_transactions".to_owned());
    Finding {
        records: unattributed,
        ..Finding::new(FindingCode::Unattributed, table, message, None)
    }
}

fn of_model(spec: &TableSpec, status: ModelStatus, table: Option<String>) -> Option<Finding> {
    let by = spec.declared_by();
    let call = PolicyCall(spec).to_string();
    let table = table.or_else(|| Some(spec.table.clone()));
    match status {
        // The other states are reported by their own findings.
        ModelStatus::Current
        | ModelStatus::ColumnsAdded
        | ModelStatus::CaptureOutdated
        | ModelStatus::TriggersAltered
        | ModelStatus::SchemaOutdated
        | ModelStatus::Unrecognized(_) => None,
        ModelStatus::TableMissing => Some(Finding::new(
            FindingCode::ModelTableMissing,
            table,
            format!("the table of {by} does not exist"),
            None,
        )),
        ModelStatus::NotAudited => Some(Finding::new(
            FindingCode::ModelNotAudited,
            table,
            format!("{by} declares it audited, but it is not"),
            Some(call),
        )),
        ModelStatus::PolicyDiffers => Some(Finding::new(
            FindingCode::PolicyDiffers,
            table,
            format!("it is audited under another policy than that of {by}"),
            Some(call),
        )),
    }
}
