use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ActorRef;
use super::limits::{MAX_ID_BYTES, check_metadata, check_text};

/// Under whom and for what changes are made: an actor, and what ties the
/// change to the rest of the system.
///
/// ```
/// use threadline::{ActorRef, AuditContext};
///
/// let context = AuditContext::builder(ActorRef::user(42)?)
///     .request_id("req-7f3a")
///     .source("web")
///     .remote_ip("203.0.113.9".parse().unwrap())
///     .metadata("tenant", "acme")
///     .build()?;
///
/// // Into a job's payload, and out again where the job runs.
/// let payload = context.to_json();
/// assert_eq!(AuditContext::from_json(&payload)?, context);
/// # Ok::<(), threadline::ContextError>(())
/// ```
///
/// Ids are stored as they are given: never trimmed, cut or folded, and one that
/// could not be stored so is an error here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AuditContextBuilder")]
pub struct AuditContext {
    actor: Option<ActorRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
}

/// Builds an [`AuditContext`]; all checks are made by [`build`](Self::build).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditContextBuilder {
    #[serde(default)]
    actor: Option<ActorRef>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    job_id: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    remote_ip: Option<IpAddr>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// What is wrong with a context, or with a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// An actor of a type that has ids, without one.
    #[error(
        "an actor of type `{actor_type}` needs an id that is not empty; for somebody unknown use `ActorRef::anonymous()`"
    )]
    ActorWithoutId {
        /// The actor's type.
        actor_type: String,
    },
    /// An actor type that is none of ours.
    #[error(
        "`{name}` is not an actor type; the types are user, admin, service_account, job, system, anonymous"
    )]
    UnknownActorType {
        /// The name that was given.
        name: String,
    },
    /// A NUL, which PostgreSQL stores neither in text nor in jsonb.
    #[error("the {field} contains a NUL character, which PostgreSQL cannot store; remove it")]
    NulByte {
        /// Where it was found.
        field: &'static str,
    },
    /// A text above the limit; texts are never cut.
    #[error(
        "the {field} has {bytes} bytes and may have {limit}; shorten it, or keep a reference to what is stored elsewhere"
    )]
    TooLong {
        /// What is too long.
        field: &'static str,
        /// Its size.
        bytes: usize,
        /// The largest size that is accepted.
        limit: usize,
    },
    /// A transaction that needs the current context, where none is current.
    #[error(
        "no audit context is current on this thread; make one current where the request or the job begins, with `AuditContext::scope` or `in_context`, or call `audited_or_plain` if changes without an actor are right here"
    )]
    NoContext,
    /// A statement that loads its rows one by one, in autocommit under a context.
    #[error(
        "rows cannot be loaded one by one in autocommit under a context, because the transaction ends before they are read; load them in a transaction"
    )]
    RowByRow,
    /// Text that is no context.
    #[error("not an audit context: {message}")]
    NotAContext {
        /// What the JSON reader says.
        message: String,
    },
}

/// How a context reached the transaction; recorded with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Explicit,
    ThreadLocal,
    TaskLocal,
}

impl AuditContext {
    /// A context of nothing but an actor.
    pub fn new(actor: ActorRef) -> Self {
        Self {
            actor: Some(actor),
            request_id: None,
            correlation_id: None,
            job_id: None,
            source: None,
            remote_ip: None,
            metadata: Map::new(),
        }
    }

    /// Starts a context under an actor.
    pub fn builder(actor: ActorRef) -> AuditContextBuilder {
        AuditContextBuilder {
            actor: Some(actor),
            ..Default::default()
        }
    }

    /// Starts a context without an actor, where only the request is known yet.
    pub fn builder_without_actor() -> AuditContextBuilder {
        AuditContextBuilder::default()
    }

    /// Starts a context with everything that this one holds.
    pub fn to_builder(&self) -> AuditContextBuilder {
        let Self {
            actor,
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata,
        } = self.clone();
        AuditContextBuilder {
            actor,
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata,
        }
    }

    /// Returns this context under another actor, as after a login.
    pub fn with_actor(&self, actor: ActorRef) -> Self {
        Self {
            actor: Some(actor),
            ..self.clone()
        }
    }

    /// Returns the context of a job that was started in this one: the actor is the job, and
    /// everything else stays, so that the request's and the correlation id lead to who
    /// started it.
    ///
    /// ```
    /// use threadline::{ActorRef, AuditContext};
    ///
    /// let request = AuditContext::builder(ActorRef::user(42)?)
    ///     .request_id("req-7f3a")
    ///     .build()?;
    /// let job = request.for_job("interest", 4711)?;
    /// assert_eq!(job.actor(), Some(&ActorRef::job("interest")?));
    /// assert_eq!(job.job_id(), Some("4711"));
    /// assert_eq!(job.request_id(), Some("req-7f3a"));
    /// # Ok::<(), threadline::ContextError>(())
    /// ```
    ///
    /// To record what a job does under whoever started it, set only the
    /// [job id](AuditContextBuilder::job_id) with [`to_builder`](Self::to_builder).
    ///
    /// # Errors
    ///
    /// Same as [`ActorRef::job`] for the name and [`AuditContextBuilder::build`] for the id.
    pub fn for_job(
        &self,
        name: impl ToString,
        job_id: impl ToString,
    ) -> Result<Self, ContextError> {
        self.to_builder()
            .actor(ActorRef::job(name)?)
            .job_id(job_id.to_string())
            .build()
    }

    /// Who acts.
    pub fn actor(&self) -> Option<&ActorRef> {
        self.actor.as_ref()
    }

    /// The id of the request that is being served.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// What ties together requests, jobs and services that work on one matter.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// The id of the job that is running.
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }

    /// Which way the change came: `web`, `cli`, `import`, …
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The client's address.
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.remote_ip
    }

    /// Everything else.
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.metadata
    }

    /// The context as JSON text, for a job's payload.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("maps with string keys become JSON")
    }

    /// Reads what [`to_json`](Self::to_json) wrote. Unknown fields are errors,
    /// so that a misspelt actor is not taken for a missing one.
    pub fn from_json(json: &str) -> Result<Self, ContextError> {
        serde_json::from_str(json).map_err(|e| ContextError::NotAContext {
            message: e.to_string(),
        })
    }

    /// What the setting `threadline.context` holds.
    pub(crate) fn to_setting(&self, origin: Origin) -> String {
        let mut value = serde_json::to_value(self).expect("maps with string keys become JSON");
        let origin = match origin {
            Origin::Explicit => "explicit",
            Origin::ThreadLocal => "thread-local",
            Origin::TaskLocal => "task-local",
        };
        value["origin"] = origin.into();
        value.to_string()
    }
}

impl AuditContextBuilder {
    /// Who acts.
    pub fn actor(mut self, actor: ActorRef) -> Self {
        self.actor = Some(actor);
        self
    }

    /// The id of the request that is being served.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// What ties together requests, jobs and services that work on one matter.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// The id of the job that is running.
    pub fn job_id(mut self, id: impl Into<String>) -> Self {
        self.job_id = Some(id.into());
        self
    }

    /// Which way the change came: `web`, `cli`, `import`, …
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The client's address.
    pub fn remote_ip(mut self, address: IpAddr) -> Self {
        self.remote_ip = Some(address);
        self
    }

    /// One more entry of metadata; the last one of a name counts.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// The trace that is going on, as the metadata `trace_id`: 32 hexadecimal digits, such as
    /// OpenTelemetry's `TraceId` is shown. The trace and the audit lead to each other by it.
    ///
    /// An id of zeros means that there is no trace, and is not recorded.
    ///
    /// ```
    /// # use threadline::{ActorRef, AuditContext};
    /// // With tracing-opentelemetry:
    /// // let trace_id = Span::current().context().span().span_context().trace_id();
    /// let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    /// let context = AuditContext::builder(ActorRef::user(42)?).trace_id(trace_id).build()?;
    /// assert_eq!(context.metadata()["trace_id"], trace_id);
    /// # Ok::<(), threadline::ContextError>(())
    /// ```
    pub fn trace_id(self, id: impl ToString) -> Self {
        let id = id.to_string();
        if id.bytes().all(|digit| digit == b'0') {
            return self;
        }
        self.metadata("trace_id", id)
    }

    /// The context, or what is wrong with it.
    ///
    /// # Errors
    ///
    /// A NUL in any text, an id or source above 512 bytes, metadata above
    /// 64 KiB as JSON.
    pub fn build(self) -> Result<AuditContext, ContextError> {
        let Self {
            actor,
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata,
        } = self;
        for (field, value) in [
            ("request id", &request_id),
            ("correlation id", &correlation_id),
            ("job id", &job_id),
            ("source", &source),
        ] {
            if let Some(value) = value {
                check_text(field, value, MAX_ID_BYTES)?;
            }
        }
        check_metadata(&metadata)?;
        Ok(AuditContext {
            actor,
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata,
        })
    }
}

impl TryFrom<AuditContextBuilder> for AuditContext {
    type Error = ContextError;

    fn try_from(builder: AuditContextBuilder) -> Result<Self, ContextError> {
        builder.build()
    }
}
