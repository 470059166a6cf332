//! Requests to services that are asked a single question, for which their SDK would be too much to compile.

use std::time::SystemTime;

use aws_sdk_sts::config::ProvideCredentials as _;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use outside::text::with_causes;
use pipeline::{Code, Fault};

use super::Session;

/// A signed GET request, to be sent by the caller.
#[derive(Clone)]
pub struct SignedRequest {
    /// The address.
    pub url: String,
    /// The headers that the signature is in.
    pub headers: Vec<(String, String)>,
}

impl Session {
    /// A GET of a path of a service, such as `lambda`, signed with this session's credentials.
    ///
    /// # Errors
    /// There are no credentials any more, or the request cannot be signed.
    pub(super) async fn signed(&self, service: &str, path: &str) -> Result<SignedRequest, Fault> {
        let internal =
            |what: String| Fault::new(Code::Internal, format!("signing a request to {service}: {what}"));
        let region = self.region();
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let base = match self.config.endpoint_url() {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("https://{service}.{region}.amazonaws.com{suffix}"),
        };
        let url = format!("{base}{path}");
        let provider = self.config.credentials_provider();
        let provider = provider.ok_or_else(|| Fault::new(Code::CredentialsMissing, "no credentials"))?;
        let credentials = provider.provide_credentials().await;
        let credentials =
            credentials.map_err(|error| Fault::new(Code::CredentialsExpired, with_causes(&error)))?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| internal(error.to_string()))?;
        let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]));
        let request = request.map_err(|error| internal(with_causes(&error)))?;
        let (signature, _) =
            sign(request, &params.into()).map_err(|error| internal(with_causes(&error)))?.into_parts();
        let (headers, _) = signature.into_parts();
        let headers = headers.iter().map(|header| (header.name().to_owned(), header.value().to_owned()));
        Ok(SignedRequest { headers: headers.collect(), url })
    }
}
