//! The owner directory over HTTP GET, or in a folder.

mod base;
mod folder;
mod redirects;
mod s3;
mod template;

use std::time::Duration;

use async_trait::async_trait;
use lead::LeadId;
use outside::text;
use pipeline::ports::{OwnerAnswer, OwnerDirectory, OwnerUnreachable};
use reqwest::{Client, header, redirect};
use url::Url;

use web::BodyRead;

pub use base::OwnersBase;
use base::Place;
use folder::Folder;
use s3::S3Address;

/// The timeouts, and the largest document.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    /// From the first byte sent to the last one received, redirects included.
    total: Duration,
    body: usize,
}

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(3), total: Duration::from_secs(5), body: 1024 * 1024 };

/// The owner directory over HTTP GET, or in a folder.
#[derive(Debug, Clone)]
pub struct HttpOwners {
    base: OwnersBase,
    limits: Limits,
    /// `None` for a folder.
    client: Option<Client>,
}

impl HttpOwners {
    /// A directory at `base`: 3 s to connect, 5 s in all, documents of at most 1 MiB, at most three
    /// redirects, all of them to the same host or the same bucket, and none from `https` to `http`.
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
        let client = match &base.place {
            Place::Folder(_) => None,
            Place::Web(url) => Some(
                web::builder(url)
                    .connect_timeout(limits.connect)
                    .timeout(limits.total)
                    .redirect(redirect::Policy::custom(redirects::follow))
                    .build()
                    .map_err(web::error_text)?,
            ),
        };
        Ok(Self { base, limits, client })
    }

    async fn get(&self, client: &Client, url: Url) -> Result<OwnerAnswer, OwnerUnreachable> {
        let mut response = client.get(url).send().await.map_err(unreachable)?;
        let (status, asked) = (response.status().as_u16(), response.url().clone());
        let headers = response.headers().clone();
        match web::read_limited(&mut response, self.limits.body).await {
            (body, BodyRead::Complete) => Ok(OwnerAnswer {
                status,
                content_type: headers
                    .get(header::CONTENT_TYPE)
                    .map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned()),
                points_to: redirects::points_to(&asked, status, &headers),
                region: s3::other_region(&self.base, status, &headers, &body),
                is_of_s3: S3Address::of(&asked).is_some(),
                body,
            }),
            (_, BodyRead::TooLong) => Err(self.too_large()),
            (_, BodyRead::Failed(error)) => Err(unreachable(error)),
        }
    }

    async fn read(&self, folder: &Folder, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
        let (folder, lead, limit) = (folder.clone(), lead.clone(), self.limits.body);
        let reading = tokio::task::spawn_blocking(move || folder.read(&lead, limit));
        // A folder on a network drive can hang; the thread is then left behind.
        let read = tokio::time::timeout(self.limits.total, reading)
            .await
            .map_err(|_| OwnerUnreachable("the folder did not answer in time".to_owned()))?
            .map_err(|_| OwnerUnreachable("reading the document was interrupted".to_owned()))?;
        match read {
            Ok(Some(body)) if body.len() > limit => Err(self.too_large()),
            Ok(Some(body)) => Ok(OwnerAnswer::new(200, body)),
            Ok(None) => Ok(OwnerAnswer::new(404, Vec::new())),
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
        match (&self.base.place, self.base.url_of(lead), &self.client) {
            (Place::Folder(folder), ..) => self.read(folder, lead).await,
            (Place::Web(_), Some(url), Some(client)) => self.get(client, url).await,
            (Place::Web(_), ..) => Err(OwnerUnreachable("there is no HTTP client".to_owned())),
        }
    }
}

fn unreachable(error: reqwest::Error) -> OwnerUnreachable {
    let slow = error.is_timeout();
    let text = web::error_text(error);
    OwnerUnreachable(if slow { format!("no answer in time: {text}") } else { text })
}

#[cfg(test)]
mod tests;
