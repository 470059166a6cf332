//! HTTP on this machine.

/// A client for servers on this machine. Making one that knows TLS reads all certificates of the machine.
pub fn client() -> reqwest::Client {
    let plain = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    plain.build().unwrap_or_else(|error| panic!("no HTTP client: {error}"))
}
