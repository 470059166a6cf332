//! A webhook's body and headers, through the real stage.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use close::Incoming;
use close::signature::{Keys, SignatureHeaders};
use futures_util::FutureExt;
use lead::{EnrichedLead, OwnerFacts, OwnerStatus, Timestamp, keys};
use outside::text;
use pipeline::{
    Code, Entry, Fault, Recorder, Settings,
    ingest::{BODY_LIMIT, Ingest, LogThrottles, Outcome, Trust, Webhook},
    job::{ProcessJob, lead_in},
    ports::{Accepted, Clock, Intake, Journal, NewEvent, Random},
    unsigned::Head,
};

use serde_json::Value;

use super::readable;

/// Ports of the stage that answer at once.
#[derive(Default)]
struct InstantPorts(Mutex<Option<NewEvent>>);

#[async_trait]
impl Intake for InstantPorts {
    async fn accept(&self, event: NewEvent) -> Result<Accepted, Fault> {
        *self.0.lock().unwrap() = Some(event);
        Ok(Accepted::New)
    }
}

#[async_trait]
impl Journal for InstantPorts {
    async fn append(&self, _: Entry) -> Result<(), Fault> {
        Ok(())
    }
}

#[async_trait]
impl Clock for InstantPorts {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(SIGNED_AT).unwrap()
    }

    async fn sleep(&self, _: Duration) {}
}

impl Random for InstantPorts {
    fn bits(&self) -> u64 {
        7
    }
}

const SIGNED_AT: i64 = 1_789_398_131;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::parse(&"5a".repeat(32)).unwrap());

fn stage() -> (Ingest, Arc<InstantPorts>) {
    let ports = Arc::<InstantPorts>::default();
    let recorder = Recorder { clock: ports.clone(), random: ports.clone(), journal: ports.clone() };
    let ingest = Ingest {
        settings: Arc::new(Settings::default()),
        trust: Trust::Signed(KEYS.clone()),
        intake: ports.clone(),
        recorder,
        repeats: LogThrottles::default(),
    };
    (ingest, ports)
}

/// What a stage that need not wait says.
fn answer(ingest: &Ingest, webhook: Webhook<'_>) -> Outcome {
    let outcome = ingest.handle(webhook).now_or_never().unwrap();
    let json = outcome.json();
    let reason = json["error"].as_str().unwrap_or_default();
    readable(reason, 400);
    outcome
}

/// * Without a signature of ours nothing is accepted, whatever the headers and the body say.
/// * Unsigned, no host but this machine's is trusted, and why not is one readable line.
/// * Signed, the bytes are stored as they came, under a key that cannot leave its folder, with a job and a
///   journal entry that can be read again; or refused as malformed, with nothing stored.
/// * An accepted event can be enriched, into texts that show something and JSON on one line, and what is
///   stored of it reads back the same.
pub fn webhook(data: &[u8]) {
    let (ingest, ports) = stage();

    // The first lines as headers.
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let mut header = || parts.next().and_then(|part| std::str::from_utf8(part).ok());
    let (hash, timestamp) = (header(), header());
    let body = Bytes::copy_from_slice(data);
    let forged = answer(
        &ingest,
        Webhook {
            presented: SignatureHeaders { hash, timestamp },
            head: Head::default(),
            body: body.clone(),
        },
    );
    let Outcome::Refused(fault) = &forged else { panic!("a forged webhook was taken: {forged:?}") };
    assert!(matches!(forged.status(), 401 | 413), "{fault}");
    assert!(ports.0.lock().unwrap().is_none());

    unsigned(data);

    let timestamp = SIGNED_AT.to_string();
    let hash = KEYS.sign(&timestamp, data).unwrap();
    let presented = SignatureHeaders { hash: Some(&hash), timestamp: Some(&timestamp) };
    let outcome = answer(&ingest, Webhook { presented, head: Head::default(), body: body.clone() });
    let stored = ports.0.lock().unwrap().take();
    match outcome {
        Outcome::Accepted(lead) => {
            let stored = stored.unwrap();
            assert_eq!(stored.body, body);
            assert_eq!(stored.key, keys::raw("source/", &lead));
            let job = ProcessJob::parse(&stored.job).unwrap();
            assert_eq!((&job.lead_id, &job.key), (&lead, &stored.key));
            assert_eq!(lead_in(&stored.job), Some(lead.clone()));
            readable(&stored.entry.detail(), 1_500);
            let entry = serde_json::to_string(&stored.entry).unwrap();
            assert!(entry.len() < 16_384, "a journal entry of {} bytes", entry.len());
            assert_eq!(serde_json::from_str::<Entry>(&entry).unwrap(), stored.entry);
            assert_eq!(keys::JournalKey::parse(&stored.entry.key()).unwrap().lead, Some(lead));
            enriched(data);
        }
        Outcome::Ignored { kind } => {
            readable(&kind, 60);
            assert!(stored.is_none());
        }
        Outcome::Refused(fault) => {
            assert!(stored.is_none());
            let expected = [Code::EventMalformed, Code::LeadIdUnusable, Code::BodyTooLarge];
            assert!(expected.contains(&fault.code), "{fault}");
            assert_eq!(fault.code == Code::BodyTooLarge, data.len() > BODY_LIMIT);
        }
        Outcome::Duplicate(_) => panic!("nothing was there before"),
    }
}

fn unsigned(data: &[u8]) {
    let host = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut head = Head::of_this_process();
    head.headers.retain(|(name, _)| *name != "host");
    head.headers.push(("host", host));
    match head.is_of_this_machine() {
        Ok(()) => {
            let url = format!("http://{}/", std::str::from_utf8(host).unwrap().trim());
            assert!(web::is_on_this_machine(&url.parse().unwrap()), "{url}");
        }
        Err(why) => readable(&why, 400),
    }
}

fn enriched(data: &[u8]) {
    let Ok(Incoming::Created(created)) = Incoming::parse(data) else { panic!("it was accepted") };
    let now = Timestamp::UNIX_EPOCH;
    let lead = EnrichedLead::new(&created, OwnerFacts::none(OwnerStatus::Missing), now, now);
    for value in [&lead.display_name, &lead.status_label, &lead.date_created] {
        readable(value, text::VALUE_LIMIT);
        assert!(!text::clean(value).is_empty());
    }
    for value in lead.custom.values() {
        assert!(!value.as_str().contains(['\n', '\r', '\t']), "{value:?}");
        serde_json::from_str::<Value>(value.as_str()).unwrap();
    }
    let json = serde_json::to_string(&lead).unwrap();
    let read: EnrichedLead = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}
