//! An actor as recorded. Also represents one that cannot be constructed, for instance of a
//! type that only a newer version knows, so that reading never fails for that reason.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ActorRef;

/// The actor: who acts.
#[derive(Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "ActorRef")
)]
pub(super) struct Recorded {
    /// The kind of actor: user, admin, service_account, job, system, anonymous, or a value of a newer version.
    #[serde(rename = "type")]
    kind: String,
    /// The id; null for an anonymous actor.
    #[serde(default)]
    id: Option<String>,
}

impl Recorded {
    fn of(actor: &ActorRef) -> Self {
        Self {
            kind: actor.actor_type().to_string(),
            id: actor.id().map(str::to_owned),
        }
    }

    fn into_actor(self) -> ActorRef {
        ActorRef::recorded(self.kind, self.id)
    }
}

pub(crate) fn serialize<S: Serializer>(
    actor: &Option<ActorRef>,
    out: S,
) -> Result<S::Ok, S::Error> {
    actor.as_ref().map(Recorded::of).serialize(out)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<ActorRef>, D::Error> {
    Ok(Option::deserialize(from)?.map(Recorded::into_actor))
}

/// The same for an actor that is always present.
pub(crate) mod named {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(actor: &ActorRef, out: S) -> Result<S::Ok, S::Error> {
        Recorded::of(actor).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ActorRef, D::Error> {
        Recorded::deserialize(from).map(Recorded::into_actor)
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for ActorRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Recorded::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Recorded::json_schema(generator)
    }
}
