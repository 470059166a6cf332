//! Requests as API Gateway and function URLs hand them over.

use base64::{Engine, engine::general_purpose::STANDARD};
use lambdas::http::{Request, Response};
use serde_json::json;

/// * Any JSON that reads as a request gives its parts without a panic, the method in upper case.
/// * A body is the exact bytes that were sent, in each of the three shapes, as text and as Base64, and
///   a header is found in any case.
pub fn gateway(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        if let Some(method) = request.method() {
            assert_eq!(method, method.to_ascii_uppercase());
        }
        let upper = request.header("close-sig-hash").map(str::to_owned);
        assert_eq!(request.header("CLOSE-SIG-HASH").map(str::to_owned), upper);
        let _ = request.body();
    }
    let encoded = STANDARD.encode(data);
    let text = std::str::from_utf8(data).ok();
    for (body, is_base64) in [(Some(encoded.as_str()), true), (text, false)] {
        let Some(body) = body else { continue };
        for event in [
            json!({"httpMethod": "POST", "headers": {"Close-Sig-Hash": body}, "multiValueHeaders": null,
                   "requestContext": {"stage": "prod"}, "body": body, "isBase64Encoded": is_base64}),
            json!({"version": "2.0", "headers": {"close-sig-hash": body},
                   "requestContext": {"http": {"method": "POST"}}, "body": body, "isBase64Encoded": is_base64}),
            json!({"httpMethod": "POST", "headers": {}, "multiValueHeaders": {"CLOSE-SIG-HASH": ["x", body]},
                   "body": body, "isBase64Encoded": is_base64}),
        ] {
            let request: Request = serde_json::from_str(&event.to_string()).unwrap();
            assert_eq!(request.body().unwrap(), data);
            assert_eq!(request.header("close-sig-hash"), Some(body));
            assert_eq!(request.method().as_deref(), Some("POST"));
            let answer = Response::json(200, &json!({"error": body}));
            serde_json::from_str::<serde_json::Value>(&answer.body).unwrap();
        }
    }
}
