//! The headers of a request to another service.

use threadline::AuditContext;
use threadline_tower::{X_CORRELATION_ID, outgoing_headers};

use super::{layer, request, seen, user};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn outgoing(context: &AuditContext) -> Vec<(String, String)> {
    let headers = context.scope(|| outgoing_headers(X_CORRELATION_ID));
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    headers.sort();
    headers
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn incoming_ids_continue_through_the_payload_of_a_job() {
    let layer = layer().correlation_header(X_CORRELATION_ID);
    let incoming = request(&[
        ("x-request-id", "r-1"),
        ("x-correlation-id", "c-1"),
        ("traceparent", TRACEPARENT),
    ]);
    let context = seen(layer, incoming).await.unwrap();
    let expected = [
        pair("traceparent", TRACEPARENT),
        pair("x-correlation-id", "c-1"),
    ];
    assert_eq!(outgoing(&context), expected);
    let job = context.for_job("interest", 1).unwrap();
    assert_eq!(
        outgoing(&AuditContext::from_json(&job.to_json()).unwrap()),
        expected
    );
}

#[test]
fn a_request_id_stands_in_for_a_correlation_id() {
    let context = user(1).to_builder().request_id("r-1").build().unwrap();
    assert_eq!(outgoing(&context), [pair("x-correlation-id", "r-1")]);
}

#[test]
fn nothing_is_said_where_nothing_is_known_or_where_it_is_no_header() {
    assert!(outgoing_headers(X_CORRELATION_ID).is_empty());
    assert_eq!(outgoing(&user(1)), []);
    let odd = user(1)
        .to_builder()
        .correlation_id("one\ntwo")
        .metadata("traceparent", "no trace")
        .build()
        .unwrap();
    assert_eq!(outgoing(&odd), []);
}
