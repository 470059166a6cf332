//! The codes of everything that can go wrong.

use std::{fmt, str::FromStr, sync::LazyLock};

use serde::{Deserialize, Serialize};

/// How it stands with the work over which something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryState {
    /// The caller was answered with the failure.
    Reported,
    /// It is tried again by itself.
    Retrying,
    /// It is a dead letter: nothing more happens by itself.
    Dead,
}

/// Each code's name and text. What it means and what to do stands once, at the head of its page.
macro_rules! codes {
    ($($name:ident = $text:literal;)*) => {
        /// A kind of failure. Dead letters, logs, the journal, the console and `leadops explain`
        /// show the same code, cause and remedy: those of its page in `docs/codes`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", from = "std::borrow::Cow<'_, str>")]
        pub enum Code {
            $(#[doc = concat!("`docs/codes/", $text, ".md`")] $name,)*
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The code as written, such as `LO204`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// What `docs/codes` says about it, as Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Code::$name => include_str!(concat!("../../../docs/codes/", $text, ".md")),)* }
            }
        }
    };
}

codes! {
    SignatureMissing = "LO101";
    SignatureWrong = "LO102";
    SignatureStale = "LO103";
    EventMalformed = "LO104";
    LeadIdUnusable = "LO105";
    BodyTooLarge = "LO106";
    NotStored = "LO107";
    ListenerFull = "LO108";
    NotTheWebhook = "LO109";
    NotHttp = "LO110";

    JobUnreadable = "LO111";
    RawEventGone = "LO112";
    RawEventUnreadable = "LO113";
    RawEventMismatch = "LO114";

    SignatureOfAnother = "LO115";

    OwnerMissing = "LO121";
    OwnerLookupFailed = "LO122";
    OwnerBroken = "LO123";
    OwnerMismatch = "LO124";
    OwnerDirectoryGone = "LO125";

    OwnerDeparted = "LO126";
    OwnerUnknown = "LO127";
    OwnerAmbiguous = "LO128";

    OwnersNeverFound = "LO129";

    CloseKeyRefused = "LO131";
    CloseForbidden = "LO132";
    CloseLeadHidden = "LO133";
    CloseUnavailable = "LO134";
    CloseBusy = "LO135";
    CloseFieldUnknown = "LO136";

    OwnersIntercepted = "LO137";
    OwnersInOtherRegion = "LO138";
    OwnersRedirected = "LO139";

    SlackRateLimited = "LO201";
    SlackUnavailable = "LO202";
    SlackUnknown = "LO203";
    SlackWebhookGone = "LO204";
    SlackPayloadRefused = "LO205";
    SlackForbidden = "LO206";
    SlackChannelClosed = "LO207";
    SlackNotConfigured = "LO208";
    SlackAddressWrong = "LO209";
    SlackIntercepted = "LO210";
    AlertUnreadable = "LO211";
    EnrichedLeadGone = "LO212";
    ReceiptUnreadable = "LO213";
    MailRefused = "LO221";
    MailUnavailable = "LO222";
    MailUnknown = "LO223";
    MailLoginRefused = "LO224";
    MailUnencrypted = "LO225";
    MailNotConfigured = "LO228";
    MailUnconfirmed = "LO229";
    DestinationNotConfigured = "LO230";
    DestinationRefused = "LO231";
    DestinationUnavailable = "LO232";
    DestinationUnknown = "LO233";
    DestinationBusy = "LO234";
    PartlySent = "LO235";

    StorageFull = "LO401";
    StorageReadOnly = "LO402";
    StorageFailed = "LO403";
    StorageNewer = "LO404";
    StorageDamaged = "LO405";
    Abandoned = "LO406";
    AlreadyRunning = "LO407";
    NoPipeline = "LO408";

    StorageGone = "LO409";
    StorageOlder = "LO410";

    AwsUnreachable = "LO411";
    AwsDenied = "LO412";
    AwsThrottled = "LO413";
    AwsFailed = "LO414";
    CredentialsMissing = "LO415";
    CredentialsExpired = "LO416";
    StackMissing = "LO417";
    StackUnusable = "LO418";
    ResourceMissing = "LO419";
    SecretUnusable = "LO420";
    RegionMissing = "LO421";

    ReadOnly = "LO501";
    NoSuchDeadLetter = "LO502";
    NoSuchLead = "LO503";
    NotEnriched = "LO504";
    NoReceipt = "LO505";
    EditRefused = "LO506";
    NotConfirmed = "LO507";
    WebhookRefused = "LO508";
    WebhookUnreachable = "LO509";
    DeliveryFailed = "LO510";
    ChecksFailed = "LO511";
    FileUnusable = "LO512";
    EditorFailed = "LO513";
    OutputUnwritable = "LO514";
    OthersHaveAccess = "LO515";
    OwnerOfFileWrong = "LO516";
    Interrupted = "LO519";
    CloseKeyMissing = "LO521";
    CloseDenied = "LO522";
    CloseFailed = "LO523";
    CloseThrottled = "LO524";
    SubscriptionKeyUnknown = "LO525";
    SubscriptionMissing = "LO526";
    SubscriptionUnwell = "LO527";
    SignatureKeyForeign = "LO528";
    WebhookOutOfReach = "LO529";
    WebhookElsewhere = "LO530";
    CloseRefuses = "LO531";

    NoSuchDestination = "LO532";
    NobodyLeftOut = "LO533";
    TrialFailed = "LO534";

    SeveralFailed = "LO535";

    Usage = "LO901";
    SignatureKeyBad = "LO902";
    SignatureKeyMissing = "LO903";
    AddressUnusable = "LO904";
    FolderUnusable = "LO905";
    SettingBad = "LO906";
    ConfigFileBad = "LO907";
    NoSuchEnvironment = "LO908";
    UnsignedExposed = "LO909";
    TerminalMissing = "LO910";
    BuiltWithoutAws = "LO911";
    OfLaterVersion = "LO912";
    SettingUnknown = "LO913";
    Internal = "LO999";
}

/// The head of a page: paragraphs in front of its first section, each a sentence or two.
struct Head {
    cause: String,
    remedy: String,
    while_retried: Option<String>,
    as_dead_letter: Option<String>,
}

/// As [`Code::ALL`], in its order.
static HEADS: LazyLock<Vec<Head>> =
    LazyLock::new(|| Code::ALL.iter().map(|code| Head::read(code.page())).collect());

impl Head {
    fn read(page: &str) -> Self {
        let head = page.split("\n## ").next().unwrap_or_default();
        let paragraphs: Vec<String> =
            head.split("\n\n").map(|lines| lines.trim().replace('\n', " ")).collect();
        let labelled = |label: &str| {
            paragraphs.iter().find_map(|text| text.strip_prefix(&format!("**{label}.** ")).map(str::to_owned))
        };
        Self {
            cause: paragraphs.get(1).cloned().unwrap_or_default(),
            remedy: labelled("What to do").unwrap_or_default(),
            while_retried: labelled("While it is tried again"),
            as_dead_letter: labelled("As a dead letter"),
        }
    }
}

impl Code {
    fn head(self) -> &'static Head {
        &HEADS[self as usize]
    }

    /// Why it happens, one sentence.
    pub fn cause(self) -> &'static str {
        &self.head().cause
    }

    /// What to do about it.
    pub fn remedy(self, standing: RetryState) -> &'static str {
        let head = self.head();
        let other = match standing {
            RetryState::Reported => &None,
            RetryState::Retrying => &head.while_retried,
            RetryState::Dead => &head.as_dead_letter,
        };
        other.as_ref().unwrap_or(&head.remedy)
    }

    /// Whether a look-up that came to it says something of one lead's owner, and nothing of the source of owners.
    pub fn is_of_one_owner(self) -> bool {
        use Code::{
            CloseLeadHidden, OwnerAmbiguous, OwnerBroken, OwnerDeparted, OwnerMismatch, OwnerMissing,
            OwnerUnknown,
        };
        matches!(
            self,
            OwnerMissing
                | OwnerBroken
                | OwnerMismatch
                | OwnerDeparted
                | OwnerUnknown
                | OwnerAmbiguous
                | CloseLeadHidden
        )
    }

    /// Whether it is a destination's answer to an alert, or the want of one, and no store's or queue's trouble.
    pub fn is_of_a_destination(self) -> bool {
        self.as_str().starts_with("LO2")
    }

    /// The code of a dead letter as it is stored, and its reason. One that is not known is one of a later version's
    /// ([`Code::OfLaterVersion`]); the reason then says which.
    pub fn read(code: &str, reason: String) -> (Self, String) {
        match code.parse() {
            Ok(code) => (code, reason),
            Err(_) => (Self::OfLaterVersion, outside::text::shorten(&format!("{code}: {reason}"), 1_000)),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such code: {0:?}")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads `LO204`, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text.trim()));
        found.copied().ok_or_else(|| UnknownCode(outside::text::shorten(text, 40)))
    }
}

impl From<Code> for &'static str {
    fn from(code: Code) -> Self {
        code.as_str()
    }
}

/// As read from what is stored, where a code that is not known is one of a later version's: who has gone back to
/// this one must not lose what it stands in.
impl From<std::borrow::Cow<'_, str>> for Code {
    fn from(text: std::borrow::Cow<'_, str>) -> Self {
        text.parse().unwrap_or(Self::OfLaterVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_ordered_and_explained_in_one_line() {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.is_sorted_by(|a, b| a < b), "{texts:?}");
        for code in Code::ALL {
            assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
            let remedies =
                [RetryState::Reported, RetryState::Retrying, RetryState::Dead].map(|it| code.remedy(it));
            for line in [code.cause()].into_iter().chain(remedies) {
                assert!(line.ends_with('.') && !line.contains(['\n', '*']), "{code}: {line}");
            }
        }
        assert!("LO000".parse::<Code>().is_err());
        assert_eq!(serde_json::from_str::<Code>("\"LO000\"").unwrap(), Code::OfLaterVersion);
        assert!(serde_json::from_str::<Code>("7").is_err());
    }

    #[test]
    fn a_page_begins_with_its_code_the_cause_and_remedies_and_nothing_else() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {code}\n\n")), "{code}");
            assert!(page.lines().all(|line| line.chars().count() <= 100), "{code}");
            let Head { while_retried, as_dead_letter, .. } = code.head();
            let others = [while_retried, as_dead_letter].into_iter().flatten();
            assert!(others.clone().all(|other| *other != code.head().remedy), "{code}: said twice");
            let (head, _) = page.split_once("\n\n## When it happens\n").unwrap();
            assert_eq!(head.split("\n\n").count(), 3 + others.count(), "{code}: {head}");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codes");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), Code::ALL.len(), "a page of no code");
    }

    /// What a stage says of work that it tries again, or that died. No dead letter has one of the others.
    fn is_of_a_stage(code: Code) -> bool {
        let text = code.as_str();
        let elsewhere = [Code::StorageNewer, Code::CredentialsMissing, Code::CredentialsExpired];
        (["LO11", "LO2", "LO40", "LO41"].iter().any(|group| text.starts_with(group))
            || [
                Code::SecretUnusable,
                Code::DeliveryFailed,
                Code::FileUnusable,
                Code::SettingBad,
                Code::Internal,
            ]
            .contains(&code))
            && !elsewhere.contains(&code)
    }

    #[test]
    fn what_a_dead_letter_says_promises_nothing_and_what_is_tried_again_asks_for_no_redrive() {
        for code in Code::ALL.iter().copied().filter(|code| is_of_a_stage(*code)) {
            let dead = code.remedy(RetryState::Dead);
            for promise in ["by itself", "by themselves", "tries again", "goes on", "goes out afterwards"] {
                let never_dead = code == Code::SlackRateLimited;
                assert!(never_dead || !dead.contains(promise), "{code}: {dead}");
            }
        }
        for code in Code::ALL {
            let (again, dead) = (code.remedy(RetryState::Retrying), code.remedy(RetryState::Dead));
            if again.contains("again by itself") {
                assert!(again != dead || !is_of_a_stage(*code), "{code}: {again}");
                assert!(!again.contains("redriv"), "{code}: {again}");
            }
        }
    }
}
