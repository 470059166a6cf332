//! API Gateway and function URLs: a local address whose requests become a function's events.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use super::pool::Pool;

/// The path of the webhook behind a REST API's stage.
const WEBHOOK: &str = "/crm/webhook";

/// How a function receives a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// By a REST API, with the names of headers as they are usually written, and bodies as text or, where
    /// all media types are binary to it, in Base64:
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>.
    Rest {
        /// Whether all media types are binary.
        binary: bool,
    },
    /// By an HTTP API, with the names of headers in lower case:
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
    Http,
    /// By a function URL, with bodies in Base64 as for content that is not known to be text:
    /// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>.
    FunctionUrl,
}

/// A way in over HTTP. It ends when it is dropped.
pub struct Gateway {
    /// Where to post webhooks.
    pub webhook: Url,
    /// How the function receives what is posted there.
    pub shape: Shape,
    server: JoinHandle<()>,
}

struct Way {
    pool: Arc<Pool>,
    shape: Shape,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Gateway {
    pub(super) async fn start(pool: Arc<Pool>, shape: Shape) -> Self {
        let way = Arc::new(Way { pool, shape });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(request).with_state(way);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { webhook: format!("http://{address}{WEBHOOK}").parse().unwrap(), shape, server }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn request(
    State(way): State<Arc<Way>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A REST API knows the methods of its resources, and what it does not know nobody may do.
    if way.shape.is_rest() && (method != Method::POST || uri.path() != WEBHOOK) {
        return (StatusCode::FORBIDDEN, r#"{"message":"Missing Authentication Token"}"#).into_response();
    }
    let event = way.shape.event(&method, uri.path(), &headers, &body);
    let pool = Arc::clone(&way.pool);
    // A function works to its end, also where whoever asked has gone meanwhile.
    let invoked = tokio::spawn(async move { pool.invoke(event.to_string().into()).await });
    match invoked.await {
        Ok(Ok(answer)) => serde_json::from_slice(&answer).ok().and_then(response).unwrap_or_else(broken),
        Ok(Err(_)) | Err(_) => broken(),
    }
}

fn broken() -> Response {
    (StatusCode::BAD_GATEWAY, r#"{"message":"Internal server error"}"#).into_response()
}

fn response(answer: Answer) -> Option<Response> {
    let body = if answer.is_base64_encoded { STANDARD.decode(answer.body).ok()? } else { answer.body.into() };
    let mut response = (StatusCode::from_u16(answer.status_code).ok()?, body).into_response();
    for (name, value) in &answer.headers {
        let (name, value) = (HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.as_str()?).ok()?);
        response.headers_mut().insert(name, value);
    }
    Some(response)
}

impl Shape {
    fn is_rest(self) -> bool {
        matches!(self, Self::Rest { .. })
    }

    /// The event of a request.
    pub fn event(self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Value {
        let names = headers.iter().map(|(name, value)| {
            let name = if self.is_rest() { capitalized(name.as_str()) } else { name.to_string() };
            (name, Value::from(String::from_utf8_lossy(value.as_bytes())))
        });
        let headers: Map<String, Value> = names.collect();
        let (body, encoded) = match self {
            Self::Rest { binary: false } => (String::from_utf8_lossy(body).into_owned(), false),
            Self::Http => match std::str::from_utf8(body) {
                Ok(text) => (text.to_owned(), false),
                Err(_) => (STANDARD.encode(body), true),
            },
            Self::Rest { binary: true } | Self::FunctionUrl => (STANDARD.encode(body), true),
        };
        match self {
            Self::Rest { .. } => {
                let multi = headers.iter().map(|(name, value)| (name.clone(), json!([value])));
                json!({
                    "resource": WEBHOOK, "path": path, "httpMethod": method.as_str(),
                    "multiValueHeaders": multi.collect::<Map<String, Value>>(), "headers": headers,
                    "queryStringParameters": null, "multiValueQueryStringParameters": null,
                    "pathParameters": null, "stageVariables": null,
                    "requestContext": {
                        "resourcePath": WEBHOOK, "httpMethod": method.as_str(), "path": format!("/prod{path}"),
                        "stage": "prod", "protocol": "HTTP/1.1", "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                        "identity": {"sourceIp": "127.0.0.1"},
                    },
                    "body": body, "isBase64Encoded": encoded,
                })
            }
            Self::Http | Self::FunctionUrl => json!({
                "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
                "headers": headers,
                "requestContext": {
                    "http": {"method": method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
                    "stage": "$default", "requestId": "id",
                },
                "body": body, "isBase64Encoded": encoded,
            }),
        }
    }
}

/// `close-sig-hash` as `Close-Sig-Hash`.
fn capitalized(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_headers_are_written_as_a_rest_api_does() {
        assert_eq!(capitalized("close-sig-hash"), "Close-Sig-Hash");
        assert_eq!(capitalized("host"), "Host");
    }
}
