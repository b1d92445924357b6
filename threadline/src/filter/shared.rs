//! The conditions that filters for changes and for actions share.

/// Writes the methods of these conditions. `$entries` are what the filter matches, and
/// `$recorded` is their changes at an instant.
macro_rules! shared_conditions {
    ($filter:ident, $entries:literal, $recorded:literal) => {
        impl $filter {
            #[doc = concat!("Matches ", $entries, " by this actor.")]
            pub fn actor(mut self, actor: &ActorRef) -> Self {
                self.actor = Some(actor.clone());
                self
            }

            setters! {
                #[doc = concat!("Matches ", $entries, " by actors of this type.")]
                actor_type(actor_type: ActorType),
                #[doc = concat!("Matches ", $entries, " ", $recorded, " at this instant or later.")]
                from(instant: DateTime<Utc>),
                #[doc = concat!("Matches ", $entries, " ", $recorded, " at this instant or earlier.")]
                to(instant: DateTime<Utc>),
                #[doc = concat!("Matches ", $entries, " with this correlation id, compared exactly.")]
                correlation_id,
                #[doc = concat!("Matches ", $entries, " of this request.")]
                request_id,
                #[doc = concat!("Matches ", $entries, " of this job.")]
                job_id,
                #[doc = concat!("Matches ", $entries, " from this source.")]
                source,
                #[doc = concat!("Matches ", $entries, " of the AuditTransaction with this id.")]
                transaction(id: i64),
            }

            pub(crate) fn checked(self) -> Result<Self, FilterError> {
                self.check()?;
                Ok(self)
            }

            /// Returns two conditions that exclude each other.
            fn contradiction(&self) -> Option<(String, String)> {
                match self {
                    Self {
                        from: Some(from),
                        to: Some(to),
                        ..
                    } if from > to => Some((format!("from {from}"), format!("to {to}"))),
                    Self {
                        actor: Some(actor),
                        actor_type: Some(kind),
                        ..
                    } if actor.actor_type() != kind => {
                        Some((format!("actor {actor}"), format!("actor_type {kind}")))
                    }
                    _ => None,
                }
            }

            /// Returns the filter without its time span, or `None` if it has none.
            #[doc(hidden)]
            pub fn at_any_time(&self) -> Option<Self> {
                (self.from.is_some() || self.to.is_some()).then(|| Self {
                    from: None,
                    to: None,
                    ..self.clone()
                })
            }
        }
    };
}

pub(super) use shared_conditions;
