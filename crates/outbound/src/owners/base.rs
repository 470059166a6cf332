//! Where the owner documents are.

use std::fmt;

use lead::LeadId;
use outside::text;
use pipeline::Variables;
use url::Url;

use super::{
    folder::Folder,
    s3::S3Address,
    template::{self, ENCODED, PLACEHOLDER},
};

/// Where the owner documents are: `http(s)://…` or `file:///…`, either a template with `{lead_id}` in its path, or a
/// base, under which a lead's document is `{lead_id}.json`. Printed without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnersBase {
    pub(super) place: Place,
    /// Whether it was written with a placeholder.
    is_template: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Its path has the placeholder, percent-encoded.
    Web(Url),
    Folder(Folder),
}

impl OwnersBase {
    /// The public bucket of the brief.
    pub const BUCKET: &str = "dea-lead-owner";

    /// Reads a base or a template. A user and password in an `http(s)` one are sent as basic authentication, only to
    /// that server.
    ///
    /// # Errors
    /// A line for the operator that shows nothing of the text but its scheme and an invalid placeholder in its path.
    pub fn parse(base: &str) -> Result<Self, String> {
        let base = base.trim();
        let is_template = template::check(base)?;
        let mut url = Url::parse(base).map_err(|error| format!("it is not a URL: {error}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            let what = "it has a query or a fragment; a lead's document is {base}/{lead_id}.json, or where {lead_id} is in the path";
            return Err(what.to_owned());
        }
        if !is_template {
            let path = url.path().strip_suffix('/').unwrap_or(url.path());
            let path = format!("{path}/{PLACEHOLDER}.json");
            url.set_path(&path);
        }
        let place = match url.scheme() {
            "http" | "https" => Place::Web(url),
            "file" => {
                let path =
                    url.to_file_path().map_err(|()| "it is not a local folder (file:///…)".to_owned())?;
                Place::Folder(Folder::of(&path))
            }
            other => {
                return Err(format!("its scheme is {}, not http, https or file", text::shorten(other, 20)));
            }
        };
        Ok(Self { place, is_template })
    }

    /// The public address of an S3 bucket in `us-east-1`: `https://{bucket}.s3.us-east-1.amazonaws.com`,
    /// or with the bucket in the path where its name has a dot, as no certificate covers such a host.
    ///
    /// # Errors
    /// A line for the operator where the name is not valid for a bucket.
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
            return Err(format!("{:?} is not a bucket name", text::shorten(bucket, 80)));
        }
        Self::parse(&S3Address::of_bucket(bucket, "us-east-1"))
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

    /// Whether it is the default bucket.
    pub fn is_default(&self) -> bool {
        Self::of_bucket(Self::BUCKET).as_ref() == Ok(self)
    }

    /// The address of a lead's document with `{lead_id}` for the lead, for people: without user and password.
    pub fn template(&self) -> String {
        match &self.place {
            Place::Web(url) => without_password(url).replace(ENCODED, PLACEHOLDER),
            Place::Folder(folder) => format!("file://{}", folder.document().display()),
        }
    }

    /// The address of the same documents in another region of S3, where they are in S3. `BUCKET` stands for an unknown
    /// name.
    pub(super) fn in_region(&self, region: &str, bucket: Option<&str>) -> String {
        let Place::Web(url) = &self.place else { return S3Address::of_bucket("BUCKET", region) };
        match S3Address::of(url) {
            Some(address) => {
                let mut moved = url.clone();
                let _ = moved.set_host(Some(&address.host_in(region)));
                let place = Place::Web(moved);
                Self { place, is_template: self.is_template }.to_string()
            }
            None => S3Address::of_bucket(bucket.unwrap_or("BUCKET"), region),
        }
    }

    pub(super) fn url_of(&self, lead: &LeadId) -> Option<Url> {
        let Place::Web(url) = &self.place else { return None };
        let mut url = url.clone();
        let path = url.path().replace(ENCODED, lead.as_str());
        url.set_path(&path);
        Some(url)
    }
}

fn without_password(url: &Url) -> String {
    let mut shown = url.clone();
    // Neither call fails for a URL with a host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

impl fmt::Display for OwnersBase {
    /// As it was written: the template, or the base.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = self.template();
        match self.is_template {
            true => f.write_str(&template),
            false => {
                let base = template.strip_suffix(&format!("/{PLACEHOLDER}.json")).unwrap_or(&template);
                f.write_str(base.trim_end_matches('/'))
            }
        }
    }
}

impl fmt::Debug for OwnersBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
