use std::{
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use lead::{LeadId, text};
use pipeline::{
    Variables,
    ports::{OwnerAnswer, OwnerDirectory, OwnerUnreachable},
};
use reqwest::{Client, redirect};
use url::Url;

use crate::client::{self, Ended};

/// Where the owner documents are: `http(s)://…` or `file:///…`. Printed without a user's name and
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnersBase(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Web(Url),
    Folder(PathBuf),
}

impl OwnersBase {
    /// The public bucket of the brief.
    pub const BUCKET: &str = "dea-lead-owner";

    /// Reads a base. A user and password in an `http(s)` one are sent as basic authentication to that
    /// server alone.
    ///
    /// # Errors
    /// A line for the operator that shows nothing of the text but its scheme.
    pub fn parse(base: &str) -> Result<Self, String> {
        let url = Url::parse(base.trim()).map_err(|error| format!("it is no URL: {error}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it has a query or a fragment; a lead's document is {base}/{lead_id}.json".to_owned());
        }
        match url.scheme() {
            "http" | "https" => Ok(Self(Place::Web(url))),
            "file" => {
                let folder =
                    url.to_file_path().map_err(|()| "it is no local folder (file:///…)".to_owned())?;
                Ok(Self(Place::Folder(folder)))
            }
            other => Err(format!("its scheme is {}, not http, https or file", text::shorten(other, 20))),
        }
    }

    /// The public address of an S3 bucket in `us-east-1`: `https://{bucket}.s3.us-east-1.amazonaws.com`,
    /// or with the bucket in the path where its name has a dot, which no certificate covers.
    ///
    /// # Errors
    /// A line for the operator where no bucket can have the name.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    pub fn of_bucket(bucket: &str) -> Result<Self, String> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let valid = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(allowed)
            && ends(bucket.bytes().next())
            && ends(bucket.bytes().last())
            && !bucket.contains("..");
        if !valid {
            return Err(format!("{:?} is no bucket name", text::shorten(bucket, 80)));
        }
        Self::parse(&if bucket.contains('.') {
            format!("https://s3.us-east-1.amazonaws.com/{bucket}")
        } else {
            format!("https://{bucket}.s3.us-east-1.amazonaws.com")
        })
    }

    /// The directory that `LOOKUP_BASE_URL` names, or the bucket `LOOKUP_BUCKET`, or [`Self::BUCKET`].
    ///
    /// # Errors
    /// A line for the operator with the variable's name.
    pub fn of_variables(variables: &Variables<'_>) -> Result<Self, String> {
        match variables.get("LOOKUP_BASE_URL") {
            Some(url) => Self::parse(&url).map_err(|error| format!("LOOKUP_BASE_URL: {error}")),
            None => {
                let bucket = variables.get("LOOKUP_BUCKET");
                Self::of_bucket(bucket.as_deref().unwrap_or(Self::BUCKET))
                    .map_err(|error| format!("LOOKUP_BUCKET: {error}"))
            }
        }
    }
}

impl fmt::Display for OwnersBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Web(url) => {
                let mut shown = url.clone();
                // Neither fails for a URL with a host.
                let _ = shown.set_username("");
                let _ = shown.set_password(None);
                f.write_str(shown.as_str().trim_end_matches('/'))
            }
            Place::Folder(folder) => write!(f, "file://{}", folder.display()),
        }
    }
}

impl fmt::Debug for OwnersBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How long and how much the directory may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    /// From the first byte sent to the last one received, redirects included.
    total: Duration,
    body: usize,
}

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(3), total: Duration::from_secs(5), body: 1024 * 1024 };
const REDIRECTS: usize = 3;

/// The owner directory behind plain HTTP GET, or in a folder.
#[derive(Debug, Clone)]
pub struct HttpOwners {
    base: OwnersBase,
    limits: Limits,
    /// None for a folder.
    client: Option<Client>,
}

impl HttpOwners {
    /// A directory at `base`: 3 s to connect, 5 s in all, documents of at most 1 MiB, at most three
    /// redirects and none from `https` to `http`.
    ///
    /// # Errors
    /// A line for the operator where the machine cannot do TLS.
    pub fn new(base: OwnersBase) -> Result<Self, String> {
        Self::with_limits(base, LIMITS)
    }

    /// Where the documents are.
    pub fn base(&self) -> &OwnersBase {
        &self.base
    }

    fn with_limits(base: OwnersBase, limits: Limits) -> Result<Self, String> {
        let client = match &base.0 {
            Place::Folder(_) => None,
            Place::Web(url) => Some(
                client::builder(url)
                    .connect_timeout(limits.connect)
                    .timeout(limits.total)
                    .redirect(redirect::Policy::custom(follow))
                    .build()
                    .map_err(client::error_text)?,
            ),
        };
        Ok(Self { base, limits, client })
    }

    async fn get(&self, client: &Client, base: &Url, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| OwnerUnreachable("the base has no path".to_owned()))?
            .pop_if_empty()
            .push(&format!("{lead}.json"));
        let mut response = client.get(url).send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        match client::read_start(&mut response, self.limits.body).await {
            (body, Ended::Complete) => Ok(OwnerAnswer { status, body }),
            (_, Ended::TooLong) => Err(self.too_large()),
            (_, Ended::Failed(error)) => Err(unreachable(error)),
        }
    }

    async fn read(&self, folder: &Path, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        let (folder, name, limit) = (folder.to_owned(), format!("{lead}.json"), self.limits.body);
        let reading = tokio::task::spawn_blocking(move || read_document(&folder, &name, limit));
        // A folder on a network drive can hang; the thread is left to it.
        let read = tokio::time::timeout(self.limits.total, reading)
            .await
            .map_err(|_| OwnerUnreachable("the folder did not answer in time".to_owned()))?
            .map_err(|_| OwnerUnreachable("reading the document was cut off".to_owned()))?;
        match read {
            Ok(Some(body)) if body.len() > limit => Err(self.too_large()),
            Ok(Some(body)) => Ok(OwnerAnswer { status: 200, body: body.into() }),
            Ok(None) => Ok(OwnerAnswer { status: 404, body: Bytes::new() }),
            Err(error) => Err(OwnerUnreachable(text::shorten(&error, 300))),
        }
    }

    fn too_large(&self) -> OwnerUnreachable {
        OwnerUnreachable(format!("the owner document is larger than {} bytes", self.limits.body))
    }
}

#[async_trait]
impl OwnerDirectory for HttpOwners {
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        match (&self.base.0, &self.client) {
            (Place::Web(url), Some(client)) => self.get(client, url, lead).await,
            (Place::Folder(folder), _) => self.read(folder, lead).await,
            (Place::Web(_), None) => Err(OwnerUnreachable("there is no HTTP client".to_owned())),
        }
    }
}

/// What `name` in `folder` holds, up to one byte more than `limit`; `None` where there is no such file.
/// A folder that is not there is a mistake in the configuration and not a lead without an owner.
fn read_document(folder: &Path, name: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
    let path = folder.join(name);
    let about = |error: std::io::Error| format!("{}: {error}", path.display());
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return if folder.is_dir() {
                Ok(None)
            } else {
                Err(format!("{} is no folder", folder.display()))
            };
        }
        Err(error) => return Err(about(error)),
        // A pipe, say, whose opening would wait for ever.
        Ok(found) if !found.is_file() => return Err(format!("{} is no file", path.display())),
        Ok(_) => {}
    }
    let mut body = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(&path).and_then(|file| file.take(bound).read_to_end(&mut body)).map_err(about)?;
    Ok(Some(body))
}

fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let was_secure = attempt.previous().last().is_some_and(|from| from.scheme() == "https");
    if attempt.previous().len() > REDIRECTS {
        attempt.error("more than 3 redirects")
    } else if was_secure && attempt.url().scheme() != "https" {
        attempt.error("a redirect from https to http")
    } else {
        attempt.follow()
    }
}

fn unreachable(error: reqwest::Error) -> OwnerUnreachable {
    let slow = error.is_timeout();
    let told = client::error_text(error);
    OwnerUnreachable(if slow { format!("no answer in time: {told}") } else { told })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{
        Router,
        body::Body,
        http::{HeaderMap, StatusCode, header},
        response::{IntoResponse, Redirect},
        routing::get,
    };
    use tokio::net::TcpListener;

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
                    assert_eq!(headers[header::USER_AGENT], client::USER_AGENT);
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
            self.first
                .take()
                .map_or(std::task::Poll::Pending, |first| std::task::Poll::Ready(Some(Ok(first))))
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
    async fn a_password_goes_to_its_server_alone_and_is_never_shown() {
        let other = serve(Router::new().fallback(|headers: HeaderMap| async move {
            assert!(!headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::REFERER));
            "{}"
        }))
        .await;
        let router = Router::new().fallback(move |headers: HeaderMap| async move {
            if headers.contains_key(header::AUTHORIZATION) {
                Redirect::temporary(&format!("{other}/x")).into_response()
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        });
        let base = serve(router).await.replace("http://", "http://squid:hunter2@");
        assert_eq!(owners(&base).fetch(&lead()).await.unwrap().status, 200);
        let shown = OwnersBase::parse(&base).unwrap();
        for shown in [shown.to_string(), format!("{shown:?}"), format!("{:?}", owners(&base))] {
            assert!(!shown.contains("hunter2") && !shown.contains("squid"), "{shown}");
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
        assert!(owners.fetch(&"lead_dir".parse().unwrap()).await.unwrap_err().0.contains("no file"));
        let gone = limited(base.join("gone").unwrap().as_str(), SMALL).fetch(&lead()).await.unwrap_err();
        assert!(gone.0.contains("no folder"), "{gone}");
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
}
