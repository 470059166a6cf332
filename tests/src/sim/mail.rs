//! The mail server.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lead::email::Mail;
use pipeline::{
    Channel,
    ports::{Clock, MailError, Mailer},
};

use super::{oracle, process::ProcessWeather, said};
use crate::faulty::{Call, Moment};

/// The server as one process reaches it.
pub struct MailOf {
    /// What strikes the process.
    pub weather: Arc<ProcessWeather>,
}

#[async_trait]
impl Mailer for MailOf {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let model = &self.weather.model;
        let said: Vec<_> = said::by_mail(mail).into_iter().collect();
        let about = || said.iter().map(|said| said.lead.as_str()).collect::<Vec<_>>().join(" ");
        let known = oracle::sent_before(&self.weather, Channel::Email, &said);
        if self.weather.pass(Call::Mail, Moment::Before, &about()).await {
            return Err(MailError::Unavailable("connection refused".to_owned()));
        }
        if !model.is_calm() && model.dice.chance(model.climate.mail_trouble) {
            let silent = |taken: bool| {
                model.struck("mail: no confirmation");
                if taken {
                    oracle::taken(model, Channel::Email, said.clone(), &known);
                }
            };
            match model.dice.below(4) {
                0 => {
                    model.struck("mail: refused");
                    return Err(MailError::Refused("550 no".to_owned()));
                }
                1 => {
                    model.struck("mail: unavailable");
                    return Err(MailError::Unavailable("421 later".to_owned()));
                }
                taken => {
                    silent(taken == 2);
                    model.clock.sleep(Duration::from_secs(10)).await;
                    return Err(MailError::Unknown("timed out".to_owned()));
                }
            }
        }
        oracle::taken(model, Channel::Email, said.clone(), &known);
        if self.weather.pass(Call::Mail, Moment::After, &about()).await {
            return Err(MailError::Unknown("the connection broke".to_owned()));
        }
        Ok(())
    }
}
