//! Refused requests leave nothing.

use actix_web::http::Method;
use serde_json::json;

use super::{changes, request, send, service, setup};

#[actix_web::test]
async fn without_a_valid_token_nobody_writes() {
    let (database, app) = setup();
    let service = service(app, |_| ()).await;
    let refused = (401, json!({ "error": "sign in first" }));
    for token in [None, Some("token-of-nobody"), Some("")] {
        let request = request(Method::POST, "/items", token, &json!({ "name": "bolts" }));
        assert_eq!(send(&service, request).await, refused);
    }
    let basic = request(Method::POST, "/items", None, &json!({ "name": "bolts" }))
        .insert_header(("authorization", "Basic YTpi"));
    assert_eq!(send(&service, basic).await, refused);
    assert_eq!(changes(&database), [""; 0]);
}

#[actix_web::test]
async fn errors_of_the_database_are_answers() {
    let (database, app) = setup();
    let service = service(app, |_| ()).await;
    let missing = json!({ "error": "there is no such item" });
    let taken = json!({ "error": "there is another item with this name" });
    let few = json!({ "error": "there are not so many" });
    let bolts = json!({ "name": "bolts" });
    for (method, path, body, expected) in [
        (Method::GET, "/items/9", json!({}), (404, missing.clone())),
        (
            Method::DELETE,
            "/items/9",
            json!({}),
            (404, missing.clone()),
        ),
        (
            Method::GET,
            "/items/9/history",
            json!({}),
            (404, missing.clone()),
        ),
        (
            Method::POST,
            "/items",
            bolts.clone(),
            (201, json!({ "id": 1, "name": "bolts", "stock": 0 })),
        ),
        (Method::POST, "/items", bolts, (409, taken)),
        (
            Method::POST,
            "/items/1/stock",
            json!({ "quantity": -1 }),
            (409, few),
        ),
        // The first half is rolled back.
        (
            Method::POST,
            "/transfers",
            json!({ "from": 1, "to": 9, "quantity": 0 }),
            (404, missing),
        ),
    ] {
        let request = request(method, path, Some("token-of-ada"), &body);
        assert_eq!(send(&service, request).await, expected, "{path}");
    }
    assert_eq!(changes(&database), ["insert | 1 | user:1"]);
}
