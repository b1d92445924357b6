//! The parts of a request that its context contains.

use http::{HeaderName, HeaderValue};
use serde_json::json;
use threadline::{ActorRef, AuditContext};
use threadline_tower::{AuditLayer, X_CORRELATION_ID, behind_proxies};

use super::{layer, request, seen, user};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn the_actor_is_what_the_function_says_whatever_headers_say() {
    let forged = request(&[
        ("authorization", "Bearer 1"),
        ("x-user", "user:1"),
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.1"),
        ("x-correlation-id", "c-1"),
    ]);
    let context = seen(layer(), forged).await.unwrap();
    let expected = user(42).to_builder().source("web").build().unwrap();
    assert_eq!(context, expected);
}

#[tokio::test]
async fn without_an_actor_there_is_no_context() {
    let nobody = AuditLayer::new(|_| None).with(|context, _| context.request_id("r-1"));
    assert_eq!(
        seen(nobody, request(&[("x-request-id", "r-1")])).await,
        None
    );
    let anonymous = AuditLayer::new(|_| Some(ActorRef::anonymous()));
    let context = seen(anonymous, request(&[])).await.unwrap();
    assert_eq!(context.actor(), Some(&ActorRef::anonymous()));
}

#[tokio::test]
async fn ids_come_from_the_headers_that_are_named() {
    let headers = [
        ("x-request-id", "r-1"),
        ("x-correlation-id", "c-1"),
        ("x-amzn-trace-id", "Root=1-2"),
    ];
    let context = seen(layer(), request(&headers)).await.unwrap();
    assert_eq!(context.request_id(), Some("r-1"));
    assert_eq!(context.correlation_id(), None);

    let named = layer()
        .source("api")
        .request_id_header(HeaderName::from_static("x-amzn-trace-id"))
        .correlation_header(X_CORRELATION_ID);
    let context = seen(named, request(&headers)).await.unwrap();
    assert_eq!(context.request_id(), Some("Root=1-2"));
    assert_eq!(context.correlation_id(), Some("c-1"));
    assert_eq!(context.source(), Some("api"));
}

#[tokio::test]
async fn a_trace_is_the_correlation_where_no_header_names_another() {
    let both = [("traceparent", TRACEPARENT), ("x-correlation-id", "c-1")];
    let context = seen(layer(), request(&both)).await.unwrap();
    assert_eq!(context.correlation_id(), Some(&TRACEPARENT[3..35]));
    assert_eq!(context.metadata()["traceparent"], TRACEPARENT);
    assert_eq!(
        context.metadata()["trace_id"],
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );

    let named = layer().correlation_header(X_CORRELATION_ID);
    let context = seen(named.clone(), request(&both)).await.unwrap();
    assert_eq!(context.correlation_id(), Some("c-1"));
    assert_eq!(context.metadata()["traceparent"], TRACEPARENT);
    let context = seen(named, request(&both[..1])).await.unwrap();
    assert_eq!(context.correlation_id(), Some(&TRACEPARENT[3..35]));

    let context = seen(layer().without_traceparent(), request(&both)).await;
    assert_eq!(
        context.unwrap(),
        user(42).to_builder().source("web").build().unwrap()
    );
}

#[tokio::test]
async fn a_header_that_cannot_be_recorded_is_named_and_no_request_fails() {
    let ignored = async |name: &'static str, values: &[&[u8]]| {
        let mut request = request(&[]);
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(name, value);
        }
        let layer = layer().correlation_header(X_CORRELATION_ID);
        let context = seen(layer, request).await.unwrap();
        assert_eq!(context.actor(), user(42).actor());
        context.metadata().get("ignored_headers").cloned()
    };
    for name in ["x-request-id", "x-correlation-id", "traceparent"] {
        let unusable: [&[&[u8]]; 5] = [
            &[b""],
            &[b"  "],
            &[b"one", b"two"],
            &[&[b'x'; 513]],
            &["é".as_bytes()],
        ];
        for values in unusable {
            assert_eq!(
                ignored(name, values).await,
                Some(json!([name])),
                "{values:?}"
            );
        }
    }
    assert_eq!(ignored("x-request-id", &[&[b'x'; 512]]).await, None);
    assert_eq!(
        ignored("traceparent", &[TRACEPARENT.as_bytes()]).await,
        None
    );
    assert_eq!(
        ignored("traceparent", &[b"00-trace-span-01"]).await,
        Some(json!(["traceparent"]))
    );
}

#[tokio::test]
async fn the_address_is_the_one_that_the_host_trusts() {
    let forwarded = || request(&[("x-forwarded-for", "198.51.100.1, ::ffff:203.0.113.9")]);
    let context = seen(layer().remote_ip(behind_proxies(1)), forwarded()).await;
    assert_eq!(context.unwrap().remote_ip(), Some([203, 0, 113, 9].into()));
    let context = seen(layer().remote_ip(behind_proxies(3)), forwarded()).await;
    assert_eq!(context.unwrap().remote_ip(), None);
}

#[tokio::test]
async fn the_hosts_changes_of_a_context_take_precedence() {
    let layer = layer()
        .with(|context, parts| context.metadata("path", parts.uri.path()))
        .with(|context, _| context.request_id("of the host"));
    let context = seen(layer, request(&[("x-request-id", "r-1")])).await;
    let context = context.unwrap();
    assert_eq!(context.request_id(), Some("of the host"));
    assert_eq!(context.metadata()["path"], "/");
}

#[tokio::test]
async fn a_context_that_cannot_be_recorded_keeps_its_actor_and_says_why() {
    let layer = layer().source("x".repeat(513));
    let context = seen(layer, request(&[])).await.unwrap();
    let expected: AuditContext = user(42)
        .to_builder()
        .metadata(
            "context_error",
            "the source has 513 bytes and may have 512; shorten it, or keep a reference to what is stored elsewhere",
        )
        .build()
        .unwrap();
    assert_eq!(context, expected);
}
