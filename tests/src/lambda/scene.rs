//! [`Scene`]: a stack at work, with its neighbours.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use console::demo::{Answer, Sample, Sender};
use lead::LeadId;
use tempfile::NamedTempFile;

use super::{Configuration, Host};
use crate::{
    aws::{Moto, Stack},
    neighbours::Neighbours,
};

/// What a stack is like that a test has no other wish for: leads are due at once.
const PARAMETERS: [(&str, &str); 1] = [("DelaySeconds", "0")];

/// A stack whose functions run, with an owner directory and a Slack.
pub struct Scene {
    /// An owner directory and a Slack.
    pub neighbours: Neighbours,
    /// The stack.
    pub stack: Stack,
    /// Its functions.
    pub host: Host,
    close: Sender,
    /// What the functions trust, in place of what the template says is there on Lambda.
    _certificates: NamedTempFile,
}

impl Deref for Scene {
    type Target = Neighbours;

    fn deref(&self) -> &Neighbours {
        &self.neighbours
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Neighbours {
        &mut self.neighbours
    }
}

impl Scene {
    /// A stack with the template's figures, but no delay.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A stack with these parameters too.
    pub async fn with(parameters: &[(&str, &str)]) -> Self {
        Self::elsewhere(parameters, async |stack| stack.moto.endpoint().to_owned(), |_| ()).await
    }

    /// A stack whose functions find AWS elsewhere, such as behind a proxy, and are changed otherwise.
    pub async fn elsewhere(
        parameters: &[(&str, &str)],
        endpoint: impl AsyncFnOnce(&Stack) -> String,
        change: impl Fn(&mut Configuration),
    ) -> Self {
        let (moto, neighbours) = (Moto::start().await, Neighbours::start().await);
        let certificates = certificates();
        let (slack, owners) = (neighbours.slack.url(), neighbours.owners.base());
        let mut all = vec![
            ("SlackWebhookUrl", slack.as_str()),
            ("LookupBaseUrl", owners.as_str()),
            ("SslCertFile", certificates.path().to_str().unwrap()),
        ];
        let given = |name: &str| parameters.iter().any(|(given, _)| *given == name);
        all.extend(PARAMETERS);
        all.retain(|(name, _)| !given(name));
        all.extend(parameters);
        let stack = Stack::deploy(&moto, &all).await;
        let endpoint = endpoint(&stack).await;
        let host = Host::with(&stack, &endpoint, change).await;
        let close = host.close();
        Self { neighbours, stack, host, close, _certificates: certificates }
    }

    /// Has Close deliver a lead. How that was answered.
    pub async fn deliver(&self, sample: &Sample) -> Answer {
        self.close.send(sample).await.pop().expect("a delivery is answered")
    }

    /// Has Close deliver a lead whose owner is known, which is accepted. Its id.
    pub async fn accept(&mut self) -> LeadId {
        let sample = self.sample();
        assert_eq!(self.deliver(&sample).await, Answer::Accepted);
        sample.lead_id
    }

    /// Lets time pass for the messages of the queues, and for nobody else.
    pub async fn pass_in_queues(&self, time: Duration) {
        self.stack.moto.pass_in_queues(time).await;
    }
}

/// A bundle of certificates. Nothing here is spoken to over TLS.
fn certificates() -> NamedTempFile {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), signed.cert.pem()).unwrap();
    file
}
