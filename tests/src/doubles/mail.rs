use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use lead::email::Mail;
use pipeline::ports::{MailError, Mailer};

/// A mail server that takes every mail unless told otherwise.
#[derive(Default)]
pub struct ScriptedMailer {
    next: Mutex<VecDeque<Result<(), MailError>>>,
    tried: Mutex<Vec<(Mail, Result<(), MailError>)>>,
}

impl ScriptedMailer {
    /// A server that takes every mail.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Answers the next mails like this, in this order.
    pub fn answer(&self, answers: impl IntoIterator<Item = Result<(), MailError>>) {
        self.next.lock().unwrap().extend(answers);
    }

    /// All mails that were handed over, and what was answered.
    pub fn tried(&self) -> Vec<(Mail, Result<(), MailError>)> {
        self.tried.lock().unwrap().clone()
    }

    /// The mails that were taken.
    pub fn taken(&self) -> Vec<Mail> {
        self.tried().into_iter().filter(|(_, answer)| answer.is_ok()).map(|(mail, _)| mail).collect()
    }
}

#[async_trait]
impl Mailer for ScriptedMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let answer = self.next.lock().unwrap().pop_front().unwrap_or(Ok(()));
        self.tried.lock().unwrap().push((mail.clone(), answer.clone()));
        answer
    }
}
