//! S3 addresses.
//! <https://docs.aws.amazon.com/general/latest/gr/s3.html>

use outside::Document;
use pipeline::{owners::element, ports::OtherRegion};
use reqwest::header::HeaderMap;
use url::Url;

use super::OwnersBase;

/// The domains of AWS's partitions.
const PARTITIONS: [&str; 2] = ["amazonaws.com", "amazonaws.com.cn"];

/// The address of an object or a bucket, with the bucket in the host or in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct S3Address {
    bucket: String,
    /// Whether the bucket is in the host.
    in_host: bool,
    /// `None` for an address without a region, which means `us-east-1`.
    region: Option<String>,
    partition: &'static str,
}

impl S3Address {
    /// Reads a URL; `None` where it is not S3's. The address of a bucket's website is a different one with other rules.
    pub(super) fn of(url: &Url) -> Option<Self> {
        if url.port().is_some() {
            return None;
        }
        let mut address = Self::of_host(url.host_str()?)?;
        if !address.in_host {
            address.bucket = url.path_segments()?.next().filter(|bucket| !bucket.is_empty())?.to_owned();
        }
        Some(address)
    }

    /// Reads a host; the bucket is empty where it is in the path.
    fn of_host(host: &str) -> Option<Self> {
        let (partition, labels) = PARTITIONS
            .iter()
            .find_map(|partition| Some((*partition, host.strip_suffix(partition)?.strip_suffix('.')?)))?;
        let labels: Vec<&str> = labels.split('.').collect();
        // From the right, as a bucket's name may have dots.
        (0..labels.len()).rev().find_map(|at| {
            let region = service(labels.get(at..)?)?;
            let bucket = labels.get(..at)?.join(".");
            Some(Self { in_host: at > 0, bucket, region: region.map(str::to_owned), partition })
        })
    }

    /// Whether another address is of the same bucket, in any region of the partition.
    pub(super) fn is_same_bucket(&self, other: &Self) -> bool {
        (&self.bucket, self.partition) == (&other.bucket, other.partition)
    }

    /// The host of the same bucket in a region.
    pub(super) fn host_in(&self, region: &str) -> String {
        match self.in_host {
            true => format!("{}.s3.{region}.{}", self.bucket, self.partition),
            false => format!("s3.{region}.{}", self.partition),
        }
    }

    /// The public address of a bucket in a region.
    pub(super) fn of_bucket(bucket: &str, region: &str) -> String {
        let partition = PARTITIONS[usize::from(region.starts_with("cn-"))];
        match bucket.contains('.') {
            true => format!("https://s3.{region}.{partition}/{bucket}"),
            false => format!("https://{bucket}.s3.{region}.{partition}"),
        }
    }
}

/// Whether labels of a host are those of S3, and the region in them.
fn service<'a>(labels: &[&'a str]) -> Option<Option<&'a str>> {
    match labels {
        ["s3" | "s3-accelerate"] | ["s3-accelerate", "dualstack"] => Some(None),
        ["s3" | "s3-fips", region] | ["s3" | "s3-fips", "dualstack", region] if is_region(region) => {
            Some(Some(region))
        }
        [one] => one.strip_prefix("s3-").filter(|region| is_region(region)).map(Some),
        _ => None,
    }
}

/// Whether a text has the form of a region: `eu-west-1`, `us-gov-east-1`, and not of `website-us-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 30
        && parts.first().is_some_and(|first| first.len() <= 4)
        && (3..=4).contains(&parts.len())
        && parts.split_last().is_some_and(|(number, words)| {
            words.iter().all(is_word) && number.len() <= 2 && number.parse::<u8>().is_ok()
        })
}

/// The region in which S3 says the bucket is, where it is not at the requested address: with 301 or 307, often
/// without a `location`, or with 400.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingRouting.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html>
pub(super) fn other_region(
    base: &OwnersBase,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<OtherRegion> {
    if !matches!(status, 301 | 307 | 308 | 400) {
        return None;
    }
    let document = Document::read(body).ok();
    let body = document.as_ref().map_or("", Document::as_str);
    let endpoint = element(body, "Endpoint").and_then(S3Address::of_host);
    let of_endpoint =
        endpoint.as_ref().map(|endpoint| endpoint.region.clone().unwrap_or_else(|| "us-east-1".to_owned()));
    let region = headers
        .get("x-amz-bucket-region")
        .and_then(|region| region.to_str().ok())
        .or_else(|| element(body, "Region"))
        .filter(|region| is_region(region))
        .map(str::to_owned)
        .or(of_endpoint)?;
    let bucket = element(body, "Bucket").or_else(|| {
        let endpoint = endpoint.as_ref()?;
        endpoint.in_host.then_some(endpoint.bucket.as_str())
    });
    Some(OtherRegion { base: base.in_region(&region, bucket), region })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_s3_are_told_from_others() {
        let of = |url: &str| S3Address::of(&url.parse().unwrap());
        for (host, region) in [
            ("owners.s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("owners.s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("owners.s3.amazonaws.com", None),
            ("owners.s3.dualstack.us-gov-east-1.amazonaws.com", Some("us-gov-east-1")),
            ("owners.s3-fips.us-east-2.amazonaws.com", Some("us-east-2")),
            ("owners.s3-accelerate.amazonaws.com", None),
            ("owners.s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
        ] {
            let address = of(&format!("https://{host}/lead_a.json")).unwrap();
            assert_eq!((address.bucket.as_str(), address.region.as_deref()), ("owners", region), "{host}");
            assert!(address.in_host);
        }
        let path = of("https://s3.eu-west-1.amazonaws.com/my.owners/x").unwrap();
        assert_eq!((path.bucket.as_str(), path.in_host), ("my.owners", false));
        let dots = of("https://a.s3.b.s3.eu-west-1.amazonaws.com/x").unwrap();
        assert_eq!(dots.bucket, "a.s3.b");
        for url in [
            "https://owners.s3-website-us-east-1.amazonaws.com/",
            "https://owners.s3.evil.amazonaws.com/",
            "https://owners.s3.us-east-1.amazonaws.com.evil.example/",
            "https://owners.s3.us-east-1.evil-amazonaws.com/",
            "https://s3.us-east-1.amazonaws.com/",
            "https://ec2-3-4-5-6.compute-1.amazonaws.com/",
            "https://owners.s3.us-east-1.amazonaws.com:8443/",
            "https://example.com/owners.s3.us-east-1.amazonaws.com",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    fn region(base: &str, status: u16, header: Option<&str>, body: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("x-amz-bucket-region", header.parse().unwrap());
        }
        let base = OwnersBase::parse(base).unwrap();
        other_region(&base, status, &headers, body.as_bytes()).map(|other| (other.region, other.base))
    }

    #[test]
    fn the_region_of_a_bucket_is_found_wherever_s3_names_it() {
        let owners = "https://owners.s3.us-east-1.amazonaws.com";
        let there = || Some(("eu-west-1".to_owned(), "https://owners.s3.eu-west-1.amazonaws.com".to_owned()));
        let permanent = "<Error><Code>PermanentRedirect</Code><Endpoint>owners.s3.eu-west-1.amazonaws.com</Endpoint><Bucket>owners</Bucket></Error>";
        let dashed = "<Error><Code>TemporaryRedirect</Code><Endpoint>owners.s3-eu-west-1.amazonaws.com</Endpoint></Error>";
        let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(region(owners, 301, Some("eu-west-1"), ""), there());
        assert_eq!(region(owners, 301, None, permanent), there());
        assert_eq!(region(owners, 307, None, dashed), there());
        assert_eq!(region(owners, 400, None, malformed), there());
        assert_eq!(region("https://cdn.example.com", 301, None, permanent), there());
        for (base, expected) in [
            ("https://owners.s3.amazonaws.com/", "https://owners.s3.eu-west-1.amazonaws.com"),
            (
                "https://owners.s3.us-east-1.amazonaws.com/a/b",
                "https://owners.s3.eu-west-1.amazonaws.com/a/b",
            ),
            (
                "https://owners.s3.us-east-1.amazonaws.com/{lead_id}/o.json",
                "https://owners.s3.eu-west-1.amazonaws.com/{lead_id}/o.json",
            ),
            ("https://s3.us-east-1.amazonaws.com/my.owners", "https://s3.eu-west-1.amazonaws.com/my.owners"),
            ("https://cdn.example.com/owners", "https://BUCKET.s3.eu-west-1.amazonaws.com"),
        ] {
            let found = region(base, 301, Some("eu-west-1"), "");
            assert_eq!(found, Some(("eu-west-1".to_owned(), expected.to_owned())), "{base}");
        }
        let cn = region("https://cdn.example.com", 301, Some("cn-north-1"), "<Bucket>owners</Bucket>");
        assert_eq!(cn.unwrap().1, "https://owners.s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn what_names_no_region_is_none() {
        let owners = "https://owners.s3.us-east-1.amazonaws.com";
        for (status, header, body) in [
            (301, None, ""),
            (301, Some("evil.example/"), ""),
            (301, None, "<Endpoint>evil.example</Endpoint>"),
            (403, Some("eu-west-1"), "<Error><Code>AccessDenied</Code></Error>"),
            (400, None, "<Error><Code>InvalidRequest</Code></Error>"),
        ] {
            assert_eq!(region(owners, status, header, body), None, "{status} {header:?} {body}");
        }
    }
}
