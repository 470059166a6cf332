//! An AWS that answers at once, over TLS, so that what is measured is the function's own work.

use std::{
    convert::Infallible,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// What the stub holds: everything else does not exist.
#[derive(Clone)]
pub(crate) struct Contents {
    /// The Close secret.
    pub(crate) close_secret: String,
    /// Objects by their keys.
    pub(crate) objects: Arc<Vec<(String, String)>>,
    /// The owner document of every lead.
    pub(crate) owner: String,
    /// Every lead as Close has it.
    pub(crate) lead: String,
    /// The members of the organisation in Close.
    pub(crate) members: String,
}

/// A running stub.
pub(crate) struct Stub {
    /// Its address.
    pub(crate) url: String,
    requests: Arc<AtomicUsize>,
}

impl Stub {
    /// Starts one, and writes the certificate that it is to be trusted by to `certificate`.
    pub(crate) async fn start(mut contents: Contents, certificate: &Path) -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(certificate, signed.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![signed.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        contents.close_secret = contents.close_secret.replace("{url}", &url);
        let requests = Arc::new(AtomicUsize::new(0));
        let stub = Self { url: url.clone(), requests: Arc::clone(&requests) };
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                let (acceptor, contents, url) = (acceptor.clone(), contents.clone(), url.clone());
                let requests = Arc::clone(&requests);
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        requests.fetch_add(1, Ordering::Relaxed);
                        answer(contents.clone(), url.clone(), request)
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        stub
    }

    /// How many requests it has had.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn answer(
    contents: Contents,
    url: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let reply = |status: u16, kind: &str, body: String| {
        let answer = Response::builder().status(status).header("content-type", kind);
        answer
            .header("etag", "\"0123456789abcdef0123456789abcdef\"")
            // Of Close: what is measured is not its patience.
            .header("ratelimit", "limit=1000000, remaining=999999, reset=1")
            .body(Full::from(body))
            .unwrap()
    };
    let json = |body: String| reply(200, "application/x-amz-json-1.1", body);
    let asked = String::from_utf8_lossy(&body);
    let target = header("x-amz-target");
    let answer = if target.ends_with("GetSecretValue") {
        let slack = format!("{{\"webhook_url\": \"{url}/slack\"}}");
        let value = match () {
            () if asked.contains("slack") => slack,
            () if asked.contains("api-key") => "api_example.key".to_owned(),
            () => contents.close_secret,
        };
        json(
            serde_json::json!({"Name": "s", "VersionId": "v1", "SecretString": value, "CreatedDate": 1.0})
                .to_string(),
        )
    } else if target.ends_with("SendMessage") {
        json("{\"MessageId\": \"00000000-0000-4000-8000-000000000001\"}".to_owned())
    } else if !target.is_empty() {
        json("{}".to_owned())
    } else if path.starts_with("/slack") {
        reply(200, "text/html", "ok".to_owned())
    } else if path.starts_with("/owners/") {
        reply(200, "application/json", contents.owner)
    } else if path.starts_with("/close/lead/") {
        reply(200, "application/json", contents.lead)
    } else if path.starts_with("/close/organization/") {
        reply(200, "application/json", contents.members)
    } else if asked.contains("Action=ListSubscriptionsByTopic") {
        let (of, result) = ("ListSubscriptionsByTopicResponse", "ListSubscriptionsByTopicResult");
        let arn = "arn:aws:sns:us-east-1:123456789012:leads:1";
        let list = format!(
            "<Subscriptions><member><SubscriptionArn>{arn}</SubscriptionArn></member></Subscriptions>"
        );
        reply(
            200,
            "text/xml",
            format!(
                "<{of} xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{result}>{list}</{result}></{of}>"
            ),
        )
    } else if path == "/" && parts.method == Method::POST {
        let xml = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
        reply(200, "text/xml", xml.to_owned())
    } else if query.contains("list-type=2") {
        let xml = "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>";
        reply(200, "application/xml", xml.to_owned())
    } else if parts.method == Method::GET {
        let found = contents.objects.iter().find(|(key, _)| path.ends_with(key.as_str()));
        match found {
            Some((_, body)) => reply(200, "application/json", body.clone()),
            None => reply(404, "application/xml", "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        }
    } else {
        reply(200, "application/xml", String::new())
    };
    Ok(answer)
}
