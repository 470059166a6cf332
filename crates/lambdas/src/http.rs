//! Requests as API Gateway and function URLs pass them to a function, and their answers.
//!
//! Three formats, of which a webhook needs only the headers, the body and the method:
//! * REST APIs: <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>
//! * HTTP APIs (version 2.0) and function URLs:
//!   <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! Read here rather than with a library for all of Lambda's events: none of those ignores every other field, which may
//! be missing, null or new.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    headers: Option<HashMap<String, Value>>,
    multi_value_headers: Option<HashMap<String, Value>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    http_method: Option<String>,
    request_context: Option<RequestContext>,
}

#[derive(Debug, Clone, Deserialize)]
struct RequestContext {
    http: Option<Http>,
}

#[derive(Debug, Clone, Deserialize)]
struct Http {
    method: Option<String>,
}

impl Request {
    /// A header by its name in lower case, in whatever case it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        header_in(self.headers.as_ref(), name).or_else(|| header_in(self.multi_value_headers.as_ref(), name))
    }

    /// The method in upper case; `None` where the event says nothing of one.
    pub fn method(&self) -> Option<String> {
        let of_context = || self.request_context.as_ref()?.http.as_ref()?.method.clone();
        self.http_method.clone().or_else(of_context).map(|method| method.to_ascii_uppercase())
    }

    /// The body, the exact bytes that were sent.
    ///
    /// # Errors
    /// Where it is said to be Base64 and is not.
    pub fn body(&self) -> Result<Bytes, base64::DecodeError> {
        let body = self.body.clone().unwrap_or_default();
        if self.is_base64_encoded == Some(true) {
            return Ok(STANDARD.decode(body)?.into());
        }
        Ok(body.into())
    }
}

/// A header's value; of one that was sent several times, the last, as in API Gateway.
fn header_in<'a>(headers: Option<&'a HashMap<String, Value>>, name: &str) -> Option<&'a str> {
    let (_, value) = headers?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    value.as_array().and_then(|values| values.last()).unwrap_or(value).as_str()
}

/// An answer, the same for all three formats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The HTTP status.
    pub status_code: u16,
    /// The headers.
    pub headers: HashMap<&'static str, &'static str>,
    /// The body.
    pub body: String,
    /// Whether the body is Base64.
    pub is_base64_encoded: bool,
}

impl Response {
    /// An answer in JSON.
    pub fn json(status_code: u16, body: &Value) -> Self {
        Self {
            status_code,
            headers: HashMap::from([("content-type", "application/json")]),
            body: body.to_string(),
            is_base64_encoded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(event: Value) -> Request {
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_three_shapes_and_their_headers_in_any_case() {
        let rest = json!({
            "resource": "/crm/webhook", "httpMethod": "POST", "path": "/prod/crm/webhook",
            "headers": {"Close-Sig-Hash": "ab"}, "multiValueHeaders": {"Close-Sig-Hash": ["ab"]},
            "queryStringParameters": null, "requestContext": {"stage": "prod"},
            "body": "{}", "isBase64Encoded": false,
        });
        let http = json!({
            "version": "2.0", "routeKey": "POST /crm/webhook", "rawPath": "/crm/webhook",
            "headers": {"close-sig-hash": "ab"}, "requestContext": {"http": {"method": "post"}},
            "body": "e30=", "isBase64Encoded": true,
        });
        let multi = json!({
            "httpMethod": "POST", "headers": null, "multiValueHeaders": {"CLOSE-SIG-HASH": ["x", "ab"]},
            "body": "{}",
        });
        for event in [rest, http, multi] {
            let request = read(event);
            assert_eq!(request.header("close-sig-hash"), Some("ab"));
            assert_eq!(request.header("close-sig-timestamp"), None);
            assert_eq!(request.method().as_deref(), Some("POST"));
            assert_eq!(request.body().unwrap(), "{}");
        }
    }

    #[test]
    fn nulls_and_oddities_are_no_errors_of_ours() {
        let request = read(json!({
            "headers": {"a": null, "b": 7}, "body": null, "isBase64Encoded": null, "requestContext": null,
        }));
        assert_eq!((request.header("a"), request.header("b"), request.method()), (None, None, None));
        assert_eq!(request.body().unwrap(), "");
        assert!(read(json!({"body": "not base64", "isBase64Encoded": true})).body().is_err());
    }
}
