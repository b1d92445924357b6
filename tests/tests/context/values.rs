use serde_json::json;
use threadline::{ActorRef, ActorType, AuditContext, ContextError};

#[test]
fn an_actor_without_an_id_cannot_be_made() {
    for made in [
        ActorRef::user(""),
        ActorRef::admin("  "),
        ActorRef::service_account("\t"),
        ActorRef::job("\u{a0}\u{3000}"),
        ActorRef::system("\u{200b}\u{feff}\u{202e}"),
    ] {
        assert!(
            matches!(made, Err(ContextError::ActorWithoutId { .. })),
            "{made:?}"
        );
    }
    assert_eq!(
        ActorRef::user("").unwrap_err().to_string(),
        "an actor of type `user` needs an id that is not empty; for an unknown actor use `ActorRef::anonymous()`"
    );
}

#[test]
fn ids_are_kept_as_they_are_given() {
    let actor = ActorRef::user("  padded ").unwrap();
    assert_eq!(actor.id(), Some("  padded "));
    assert_eq!(actor.actor_type(), &ActorType::User);
}

#[test]
fn values_that_postgresql_cannot_store_are_refused_where_they_are_set() {
    assert_eq!(
        ActorRef::user("a\0b").unwrap_err().to_string(),
        "the actor id contains a NUL character, which PostgreSQL cannot store; remove it"
    );
    let builder = || AuditContext::builder(ActorRef::anonymous());
    let error = builder().correlation_id("a\0").build().unwrap_err();
    assert_eq!(
        error,
        ContextError::NulByte {
            field: "correlation id"
        }
    );
    for metadata in [json!("a\0"), json!(["a\0"]), json!({"x": {"y\0": 1}})] {
        let error = builder().metadata("m", metadata).build().unwrap_err();
        assert_eq!(error, ContextError::NulByte { field: "metadata" });
    }
    let error = builder()
        .metadata("m", "x".repeat(100_000))
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metadata has 100008 bytes and may have 65536; shorten it, or keep a reference to what is stored elsewhere"
    );
    assert!(matches!(
        builder().request_id("r".repeat(513)).build(),
        Err(ContextError::TooLong {
            field: "request id",
            ..
        })
    ));
    assert!(builder().request_id("r".repeat(512)).build().is_ok());
}

#[test]
fn a_context_goes_through_json_whole() {
    let context = AuditContext::builder(ActorRef::service_account("billing").unwrap())
        .request_id("r-1")
        .correlation_id(" c 1 ")
        .job_id("j-1")
        .source("worker")
        .remote_ip("2001:db8::1".parse().unwrap())
        .metadata("tenant", json!({"name": "Ünïcode \" ' \\ 𝄞"}))
        .build()
        .unwrap();
    assert_eq!(
        AuditContext::from_json(&context.to_json()).unwrap(),
        context
    );
    let nobody = AuditContext::builder_without_actor()
        .request_id("r")
        .build()
        .unwrap();
    assert_eq!(AuditContext::from_json(&nobody.to_json()).unwrap(), nobody);
}

#[test]
fn json_that_is_no_context_says_what_is_wrong() {
    let error = |json: &str| AuditContext::from_json(json).unwrap_err().to_string();
    assert!(error("{").starts_with("not an audit context: EOF"));
    assert!(error(r#"{"actr": {"type": "user", "id": "1"}}"#).contains("unknown field `actr`"));
    assert!(error(r#"{"actor": {"type": "robot", "id": "1"}}"#).contains(
        "`robot` is not an actor type; the types are user, admin, service_account, job, system, anonymous"
    ));
    assert!(error(r#"{"actor": {"type": "user"}}"#).contains("needs an id"));
    assert!(error(r#"{"remote_ip": "nowhere"}"#).contains("invalid IP address"));
}
