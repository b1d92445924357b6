//! The explorer, behind the login.

use axum::http::HeaderMap;

use super::*;

async fn page(service: &Router, path: &str, cookie: &str) -> (u16, String) {
    let request = Request::get(path).header("cookie", cookie);
    let (status, body) = send(service, request.body(Body::empty()).unwrap()).await;
    (status, body.as_str().unwrap_or_default().to_owned())
}

async fn login(service: &Router, token: &str) -> (u16, HeaderMap) {
    let request = Request::post("/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("token={token}")))
        .unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    (response.status().as_u16(), response.headers().clone())
}

#[tokio::test]
async fn the_explorer_is_behind_the_login_and_shows_each_user_what_is_theirs() {
    let (_database, service) = start();
    post(
        &service,
        "/articles",
        Some("token-of-ada"),
        article("Engines"),
    )
    .await;
    let text = json!({ "text": "nice engines" });
    post(&service, "/articles/1/comments", None, text).await;

    assert_eq!(page(&service, "/audit/timeline", "").await.0, 403);
    assert_eq!(
        page(&service, "/audit/timeline", "token=guessed").await.0,
        403
    );
    assert_eq!(login(&service, "guessed").await.0, 401);

    let (status, headers) = login(&service, "token-of-grace").await;
    assert_eq!(
        (status, &headers["location"]),
        (303, &"/audit".parse().unwrap())
    );
    let cookie = headers["set-cookie"].to_str().unwrap();
    let (cookie, _) = cookie.split_once(';').unwrap();
    let (status, timeline) = page(&service, "/audit/timeline", cookie).await;
    assert_eq!(status, 200);
    assert!(timeline.contains("Engines") && timeline.contains("nice engines"));

    let (status, timeline) = page(&service, "/audit/timeline", "token=token-of-ada").await;
    assert_eq!(status, 200);
    assert!(timeline.contains("Engines") && !timeline.contains("nice engines"));
}
