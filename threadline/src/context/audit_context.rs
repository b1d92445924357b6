use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ActorRef;
use super::limits::{MAX_ID_BYTES, check_metadata, check_text};
use crate::setters::{metadata_setter, setters};

/// The context of changes: the actor, and the ids that tie the changes to the rest of the
/// system.
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
/// Ids are stored as given: never trimmed, cut or folded. An id that cannot be stored
/// unchanged is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AuditContextBuilder")]
pub struct AuditContext(AuditContextBuilder);

/// Builds an [`AuditContext`]. [`build`](Self::build) makes all checks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditContextBuilder {
    #[serde(default)]
    actor: Option<ActorRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
}

/// An error in a context, or in a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// An actor without an id, of a type that requires one.
    #[error(
        "an actor of type `{actor_type}` needs an id that is not empty; for an unknown actor use `ActorRef::anonymous()`"
    )]
    ActorWithoutId {
        /// The actor's type.
        actor_type: String,
    },
    /// An unknown actor type.
    #[error(
        "`{name}` is not an actor type; the types are user, admin, service_account, job, system, anonymous"
    )]
    UnknownActorType {
        /// The name that was given.
        name: String,
    },
    /// A NUL character, which PostgreSQL stores neither in text nor in jsonb.
    #[error("the {field} contains a NUL character, which PostgreSQL cannot store; remove it")]
    NulByte {
        /// The field that contains it.
        field: &'static str,
    },
    /// A text above the limit. Texts are never cut.
    #[error(
        "the {field} has {bytes} bytes and may have {limit}; shorten it, or keep a reference to what is stored elsewhere"
    )]
    TooLong {
        /// The field that is too long.
        field: &'static str,
        /// Its size in bytes.
        bytes: usize,
        /// The largest accepted size in bytes.
        limit: usize,
    },
    /// A transaction that needs the current context, but no context is current.
    #[error(
        "no audit context is current on this thread; make one current where the request or the job begins, with `AuditContext::scope` or `in_context`, or call `audited_or_plain` if changes without an actor are right here"
    )]
    NoContext,
    /// A statement that loads its rows one by one, in autocommit under a context.
    #[error(
        "rows cannot be loaded one by one in autocommit under a context, because the transaction ends before they are read; load them in a transaction"
    )]
    RowByRow,
    /// A text that is not a context.
    #[error("not an audit context: {message}")]
    NotAContext {
        /// The message of the JSON parser.
        message: String,
    },
}

/// How a context reached the transaction. Recorded with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Explicit,
    ThreadLocal,
    TaskLocal,
}

impl AuditContext {
    /// Creates a context that has only an actor.
    pub fn new(actor: ActorRef) -> Self {
        Self(Self::builder(actor))
    }

    /// Starts a context with an actor.
    pub fn builder(actor: ActorRef) -> AuditContextBuilder {
        AuditContextBuilder {
            actor: Some(actor),
            ..Default::default()
        }
    }

    /// Starts a context without an actor, for a point where only the request is known.
    pub fn builder_without_actor() -> AuditContextBuilder {
        AuditContextBuilder::default()
    }

    /// Starts a context with all values of this one.
    pub fn to_builder(&self) -> AuditContextBuilder {
        self.0.clone()
    }

    /// Returns this context with another actor, for instance after a login.
    pub fn with_actor(&self, actor: ActorRef) -> Self {
        Self(self.to_builder().actor(actor))
    }

    /// Returns the context of a job that was started in this context. The actor is the job.
    /// Everything else stays, so the request id and the correlation id lead to the actor
    /// that started it.
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
    /// To record the changes of a job under the actor that started it, set only the [job
    /// id](AuditContextBuilder::job_id) with [`to_builder`](Self::to_builder).
    ///
    /// # Errors
    ///
    /// Same as [`ActorRef::job`] for the name, and as [`AuditContextBuilder::build`] for
    /// the id.
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

    /// Returns the actor.
    pub fn actor(&self) -> Option<&ActorRef> {
        self.0.actor.as_ref()
    }

    /// Returns the id of the request that is being served.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the id that ties together requests, jobs and services that belong to one
    /// matter.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// Returns the id of the job that is running.
    pub fn job_id(&self) -> Option<&str> {
        self.0.job_id.as_deref()
    }

    /// Returns the channel of the change: `web`, `cli`, `import`, …
    pub fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// Returns the address of the client.
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.0.remote_ip
    }

    /// Returns all other entries.
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.0.metadata
    }

    /// Returns the context as JSON text, for the payload of a job.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("maps with string keys become JSON")
    }

    /// Parses the output of [`to_json`](Self::to_json). Unknown fields are errors, so that
    /// a misspelt actor is not taken for a missing one.
    pub fn from_json(json: &str) -> Result<Self, ContextError> {
        serde_json::from_str(json).map_err(|e| ContextError::NotAContext {
            message: e.to_string(),
        })
    }

    /// Returns the value of the setting `threadline.context`.
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
    setters! {
        /// Sets the actor.
        actor(actor: ActorRef),
        /// Sets the id of the request that is being served.
        request_id,
        /// Sets the id that ties together requests, jobs and services that belong to one
        /// matter.
        correlation_id,
        /// Sets the id of the job that is running.
        job_id,
        /// Sets the channel of the change: `web`, `cli`, `import`, …
        source,
        /// Sets the address of the client.
        remote_ip(address: IpAddr),
    }

    metadata_setter! {
        /// Adds an entry of metadata. A later entry of the same name replaces an earlier one.
        name
    }

    /// Sets the current trace, as the metadata `trace_id`: 32 hexadecimal digits, the
    /// format of OpenTelemetry's `TraceId`. With it, the trace leads to the audit, and the
    /// audit to the trace.
    ///
    /// An id of zeros means that there is no trace. It is not recorded.
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

    /// Builds the context after checking every part of it.
    ///
    /// # Errors
    ///
    /// Returns an error for a NUL in any text, an id or source above 512 bytes, and
    /// metadata above 64 KiB as JSON.
    pub fn build(self) -> Result<AuditContext, ContextError> {
        for (field, value) in [
            ("request id", &self.request_id),
            ("correlation id", &self.correlation_id),
            ("job id", &self.job_id),
            ("source", &self.source),
        ] {
            if let Some(value) = value {
                check_text(field, value, MAX_ID_BYTES)?;
            }
        }
        check_metadata(&self.metadata)?;
        Ok(AuditContext(self))
    }
}

impl TryFrom<AuditContextBuilder> for AuditContext {
    type Error = ContextError;

    fn try_from(builder: AuditContextBuilder) -> Result<Self, ContextError> {
        builder.build()
    }
}
