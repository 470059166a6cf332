use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect},
    routing::get,
};
use bytes::Bytes;
use tokio::net::TcpListener;

use pipeline::{
    Code,
    owners::{LookupAnswer, interpret},
    ports::OtherRegion,
};

use super::*;

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

fn lead() -> LeadId {
    "lead_a1".parse().unwrap()
}

fn owners(base: &str) -> HttpOwners {
    HttpOwners::new(OwnersBase::parse(base).unwrap()).unwrap()
}

fn limited(base: &str, limits: Limits) -> HttpOwners {
    HttpOwners::with_limits(OwnersBase::parse(base).unwrap(), limits).unwrap()
}

const IMPATIENT: Limits = Limits { total: Duration::from_millis(150), ..LIMITS };
const SMALL: Limits = Limits { body: 1000, ..LIMITS };

#[tokio::test]
async fn whatever_is_answered_is_handed_on() {
    for status in [200, 403, 404, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let router = Router::new().route(
            "/folder/lead_a1.json",
            get(move |headers: HeaderMap| async move {
                assert_eq!(headers[header::USER_AGENT], web::USER_AGENT);
                assert!(!headers.contains_key(header::AUTHORIZATION));
                (status, "{\"x\": 1}")
            }),
        );
        let base = serve(router).await;
        for base in [format!("{base}/folder"), format!("{base}/folder/")] {
            let answer = owners(&base).fetch(&lead()).await.unwrap();
            assert_eq!((answer.status, &answer.body[..]), (status.as_u16(), &b"{\"x\": 1}"[..]));
        }
    }
}

#[tokio::test]
async fn a_slow_directory_is_unreachable() {
    let slow_head = Router::new().fallback(|| async {
        std::future::pending::<()>().await;
    });
    let slow_body = Router::new()
        .fallback(|| async { Body::from_stream(NeverEnding { first: Some(Bytes::from_static(b"{")) }) });
    for router in [slow_head, slow_body] {
        let error = limited(&serve(router).await, IMPATIENT).fetch(&lead()).await.unwrap_err();
        assert!(error.0.contains("no answer in time"), "{error}");
    }
}

/// A body that starts and then neither goes on nor ends.
struct NeverEnding {
    first: Option<Bytes>,
}

impl futures_util::Stream for NeverEnding {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.first.take().map_or(std::task::Poll::Pending, |first| std::task::Poll::Ready(Some(Ok(first))))
    }
}

#[tokio::test]
async fn an_oversized_document_is_not_read_to_its_end() {
    let exact = serve(Router::new().fallback(|| async { "x".repeat(1000) })).await;
    assert_eq!(limited(&exact, SMALL).fetch(&lead()).await.unwrap().body.len(), 1000);
    let larger = serve(Router::new().fallback(|| async { "x".repeat(1001) })).await;
    let error = limited(&larger, SMALL).fetch(&lead()).await.unwrap_err();
    assert!(error.0.contains("larger than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_loop_is_not() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let router = Router::new()
        .route("/lead_a1.json", get(|| async { Redirect::temporary("/2") }))
        .route("/2", get(|| async { Redirect::temporary("/3") }))
        .route("/3", get(|| async { Redirect::temporary("/4") }))
        .route("/4", get(|| async { "{}" }))
        .route(
            "/loop/{document}",
            get(move || async move {
                counted.fetch_add(1, Ordering::Relaxed);
                Redirect::temporary("/loop/lead_a1.json")
            }),
        );
    let base = serve(router).await;
    assert_eq!(owners(&base).fetch(&lead()).await.unwrap().status, 200);
    let error = owners(&format!("{base}/loop")).fetch(&lead()).await.unwrap_err();
    assert!(error.0.contains("more than 3 redirects"), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_the_answer_and_nobody_is_asked_there() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let other = serve(Router::new().fallback(move || async move {
        counted.fetch_add(1, Ordering::Relaxed);
        "{\"lead_owner\": \"Somebody else\"}"
    }))
    .await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{other}/secret?key=hunter2");
        let router = Router::new().fallback(move || async move {
            (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, location)], "{\"lead_owner\": \"X\"}")
        });
        let answer = owners(&serve(router).await).fetch(&lead()).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.points_to.as_deref(), Some(other.as_str()));
        let LookupAnswer::Failed(fault, _) = interpret(&answer) else { panic!("{answer:?}") };
        assert_eq!(fault.code, Code::OwnersRedirected);
        assert!(fault.what.contains(&other) && !fault.what.contains("secret"), "{fault}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_login_page_of_the_same_host_is_no_document() {
    let router = Router::new()
        .route("/login", get(|| async { Html("<!doctype html><title>Sign in</title>") }))
        .fallback(|| async { Redirect::to("/login") });
    let answer = owners(&serve(router).await).fetch(&lead()).await.unwrap();
    assert_eq!((answer.status, answer.content_type.as_deref()), (200, Some("text/html; charset=utf-8")));
    let LookupAnswer::Failed(fault, _) = interpret(&answer) else { panic!("{answer:?}") };
    assert_eq!(fault.code, Code::OwnerBroken);
}

#[tokio::test]
async fn the_region_of_a_bucket_is_in_the_answer() {
    let router = Router::new()
        .fallback(|| async { (StatusCode::MOVED_PERMANENTLY, [("x-amz-bucket-region", "eu-west-1")], "") });
    let answer = owners(&serve(router).await).fetch(&lead()).await.unwrap();
    let base = "https://BUCKET.s3.eu-west-1.amazonaws.com".to_owned();
    assert_eq!(answer.region, Some(OtherRegion { region: "eu-west-1".to_owned(), base }));
    assert!(!answer.is_of_s3);
}

#[tokio::test]
async fn a_lead_is_put_into_the_template() {
    let router = Router::new()
        .route("/a%20b/lead_a1/owner.json", get(|| async { "1" }))
        .route("/x-lead_a1", get(|| async { "2" }))
        .route("/x/lead_a1.json", get(|| async { "3" }));
    let base = serve(router).await;
    for (path, expected) in [
        ("/a%20b/{lead_id}/owner.json", "1"),
        ("/a b/{lead_id}/owner.json", "1"),
        ("/x-{lead_id}", "2"),
        ("/x/{lead_id}.json", "3"),
        ("/x", "3"),
        ("/x/", "3"),
    ] {
        let answer = owners(&format!("{base}{path}")).fetch(&lead()).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, expected.as_bytes()), "{path}");
    }
}

#[tokio::test]
async fn a_password_goes_to_its_server_alone_and_is_never_shown() {
    let router = Router::new()
        .route(
            "/x",
            get(|headers: HeaderMap| async move {
                assert!(
                    headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::REFERER)
                );
                "{}"
            }),
        )
        .fallback(|headers: HeaderMap| async move {
            if headers.contains_key(header::AUTHORIZATION) {
                Redirect::temporary("/x").into_response()
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        });
    let base = serve(router).await.replace("http://", "http://squid:hunter2@");
    assert_eq!(owners(&base).fetch(&lead()).await.unwrap().status, 200);
    for base in [base.clone(), format!("{base}/{{lead_id}}.json")] {
        let shown = OwnersBase::parse(&base).unwrap();
        for shown in
            [shown.to_string(), shown.template(), format!("{shown:?}"), format!("{:?}", owners(&base))]
        {
            assert!(!shown.contains("hunter2") && !shown.contains("squid"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_says_so_without_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = owners(&format!("http://user:hunter2@{address}")).fetch(&lead()).await.unwrap_err();
    assert!(error.0.contains("refused") && !error.0.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_folder_answers_like_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let base = Url::from_directory_path(folder.path()).unwrap();
    std::fs::write(folder.path().join("lead_a1.json"), b"{}").unwrap();
    std::fs::write(folder.path().join("lead_big.json"), "x".repeat(1001)).unwrap();
    std::fs::create_dir(folder.path().join("lead_dir.json")).unwrap();
    let owners = limited(base.as_str(), SMALL);
    let found = owners.fetch(&lead()).await.unwrap();
    assert_eq!((found.status, &found.body[..]), (200, &b"{}"[..]));
    assert_eq!(owners.fetch(&"lead_none".parse().unwrap()).await.unwrap().status, 404);
    assert!(owners.fetch(&"lead_big".parse().unwrap()).await.unwrap_err().0.contains("larger"));
    assert!(owners.fetch(&"lead_dir".parse().unwrap()).await.unwrap_err().0.contains("not a file"));
    let template = limited(&format!("{base}sub/o-{{lead_id}}/x.json"), SMALL);
    let error = template.fetch(&lead()).await.unwrap_err();
    assert!(error.0.ends_with("sub is not a folder"), "{error}");
    std::fs::create_dir_all(folder.path().join("sub/o-lead_a1")).unwrap();
    assert_eq!(template.fetch(&lead()).await.unwrap().status, 404);
    std::fs::write(folder.path().join("sub/o-lead_a1/x.json"), b"{}").unwrap();
    assert_eq!(&template.fetch(&lead()).await.unwrap().body[..], b"{}");
    let gone = limited(base.join("gone").unwrap().as_str(), SMALL).fetch(&lead()).await.unwrap_err();
    assert!(gone.0.contains("not a folder"), "{gone}");
}

#[test]
fn what_is_no_base_is_refused_without_being_shown() {
    for base in [
        "",
        "owners",
        "ftp://user:hunter2@host/",
        "s3://bucket",
        "https://",
        "https://h/?token=hunter2",
        "https://h/#x",
        "file://host/hunter2",
        "data:hunter2",
        "https://u:hunter2@h/{id}.json",
        "https://u:hunter2@h/?k=hunter2&lead={lead_id}",
        "https://h/{lead_id}?token=hunter2",
    ] {
        let error = OwnersBase::parse(base).unwrap_err();
        assert!(!error.contains("hunter2"), "{base}: {error}");
    }
}

#[test]
fn a_bucket_has_its_public_address() {
    let shown = |bucket: &str| OwnersBase::of_bucket(bucket).map(|base| base.to_string());
    assert_eq!(shown("dea-lead-owner").unwrap(), "https://dea-lead-owner.s3.us-east-1.amazonaws.com");
    assert_eq!(shown("a.b").unwrap(), "https://s3.us-east-1.amazonaws.com/a.b");
    for bucket in ["", "ab", "Bucket", "a/b", "evil.com/?", "-ab", "ab-", "a..b", &"a".repeat(64)] {
        assert!(shown(bucket).is_err(), "{bucket}");
    }
}

#[test]
fn a_base_and_a_template_are_shown_as_they_were_written_and_as_they_are_asked() {
    for (written, shown, template) in [
        ("https://u:p@h/a/", "https://h/a", "https://h/a/{lead_id}.json"),
        ("https://h", "https://h", "https://h/{lead_id}.json"),
        ("https://h/{lead_id}.json", "https://h/{lead_id}.json", "https://h/{lead_id}.json"),
        ("https://u:p@h/o/{lead_id}/x", "https://h/o/{lead_id}/x", "https://h/o/{lead_id}/x"),
        ("file:///srv/owners/", "file:///srv/owners", "file:///srv/owners/{lead_id}.json"),
        ("file:///srv/{lead_id}/o", "file:///srv/{lead_id}/o", "file:///srv/{lead_id}/o"),
    ] {
        let base = OwnersBase::parse(written).unwrap();
        assert_eq!((base.to_string().as_str(), base.template().as_str()), (shown, template), "{written}");
        assert!(!base.is_default());
    }
    assert!(OwnersBase::of_bucket(OwnersBase::BUCKET).unwrap().is_default());
}
