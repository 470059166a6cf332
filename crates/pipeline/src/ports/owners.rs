use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use close::CreatedLead;
use lead::{LeadId, OwnerFacts, OwnerStatus};

use crate::{Code, Fault};

/// A source of owners. No stage knows which one it is.
#[async_trait]
pub trait Owners: Send + Sync {
    /// Looks for a lead's owner.
    ///
    /// Whatever the source answers, or does not answer, comes to an outcome: the alert goes out with it.
    async fn find(&self, lead: &CreatedLead, options: LookupOptions) -> LookupOutcome;

    /// Reads what all leads share, so that the first need not wait for it.
    async fn warm_up(&self) {}
}

/// How an owner is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookupOptions {
    /// Whether what the event says of the owner may be out of date.
    pub fresh: bool,
    /// How long it may take at most.
    pub within: Option<Duration>,
}

/// The outcome of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupOutcome {
    /// What is known now.
    pub facts: OwnerFacts,
    /// Why there is no owner, where there is none.
    pub why: Option<Fault>,
    /// Whether another look-up is worth it.
    pub then: NextLookup,
    /// Whether it is no younger than the event: nobody was asked for the lead itself.
    pub of_event: bool,
    /// Whether the source knows the lead, and says that nobody owns it yet: where it has such a word for one lead, it
    /// is the right place to ask.
    pub lead_is_known: bool,
}

/// What a source says of the next look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLookup {
    /// It would say the same soon.
    Done,
    /// It may well say something else, and this one was an attempt.
    Retry,
    /// It asks to be left alone for so long. This was no attempt.
    Wait(Duration),
}

impl LookupOutcome {
    /// An owner, or whatever else is known for good.
    pub fn of(facts: OwnerFacts, why: Option<Fault>) -> Self {
        Self { facts, why, then: NextLookup::Done, of_event: false, lead_is_known: false }
    }

    /// No owner, for this reason.
    pub(crate) fn none(status: OwnerStatus, why: Fault) -> Self {
        Self::of(OwnerFacts::none(status), Some(why))
    }

    /// The look-up failed.
    pub fn failed(code: Code, what: impl Into<String>, then: NextLookup) -> Self {
        Self { then, ..Self::none(OwnerStatus::LookupFailed, Fault::new(code, what)) }
    }
}

/// The owner directory: one document a lead, behind plain HTTP GET.
///
/// ```
/// use async_trait::async_trait;
/// use lead::LeadId;
/// use pipeline::ports::{OwnerAnswer, OwnerDirectory, OwnerUnreachable};
///
/// /// Knows nobody.
/// struct Empty;
///
/// #[async_trait]
/// impl OwnerDirectory for Empty {
///     async fn fetch(&self, _: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable> {
///         Ok(OwnerAnswer::new(404, ""))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!(Empty.fetch(&"lead_a".parse()?).await?.status, 404);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait OwnerDirectory: Send + Sync {
    /// Asks for a lead's document and returns whatever was answered; what it means is decided in
    /// [`crate::owners::interpret`]. Bounded in time and in size. A redirect is followed within the directory alone, and
    /// is the answer where it leads elsewhere.
    async fn fetch(&self, lead: &LeadId) -> Result<OwnerAnswer, OwnerUnreachable>;
}

/// An HTTP answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerAnswer {
    /// The status.
    pub status: u16,
    /// The body, at most the adapter's limit long.
    pub body: Bytes,
    /// What the body is said to be, `content-type`.
    pub content_type: Option<String>,
    /// Where a redirect leads that was not followed: scheme, host and port, nothing more.
    pub points_to: Option<String>,
    /// Where the bucket is that is not at the address that was asked.
    pub region: Option<OtherRegion>,
    /// Whether S3 itself was asked, which answers with no page of HTML, ever:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
    pub is_of_s3: bool,
}

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherRegion {
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The base under which the documents are there; `BUCKET` stands for a bucket whose name is not known.
    pub base: String,
}

impl OwnerAnswer {
    /// An answer with this status and body, of which nothing more is known.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }
}

/// No answer: refused, timed out, too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OwnerUnreachable(pub String);
