//! Whom is trusted and whom is told: Close's keys, Slack, the topic.

use pipeline::{Channel, Code, Fault};

use super::{Finding, Session, Stack};
use crate::{Secrets, fault::fault, secrets};

/// Whether the secret holds Close's keys.
pub(super) async fn signature(secrets: &Secrets, stack: &Stack) -> Finding {
    let secret = &stack.signature_secret;
    let read = async {
        let text = secrets.text(secret).await?;
        let keys = secrets::keys_in(text.expose())
            .map_err(|fault| Fault::new(fault.code, format!("the secret {secret}: {}", fault.what)))?;
        if !keys.prove_themselves() {
            let what = format!("a key in {secret} does not verify what it signs");
            return Err(Fault::new(Code::SignatureWrong, what));
        }
        Ok(format!("{secret} holds {keys:?}, the self-test holds"))
    };
    // As before the first subscription.
    let result = read.await.map_err(|fault| match fault.code {
        Code::SecretUnusable => Fault::new(Code::SignatureKeyMissing, fault.what),
        _ => fault,
    });
    Finding::of("signature", result)
}

/// Whether the secret holds a webhook's URL, as `parse` reads it.
pub(super) async fn slack(
    secrets: &Secrets,
    stack: &Stack,
    parse: impl Fn(&str) -> Result<String, String>,
) -> Finding {
    let name = "slack";
    if !stack.settings.channels.contains(&Channel::Slack) {
        return Finding::good(name, "switched off");
    }
    let read = async {
        let text = secrets.text(&stack.slack_secret).await?;
        parse(text.expose()).map_err(|what| {
            Fault::new(Code::SecretUnusable, format!("the secret {}: {what}", stack.slack_secret))
        })
    };
    Finding::of(name, read.await)
}

/// Whether somebody gets the topic's mail. SNS takes a subscription away again that nobody confirms, and
/// anybody who gets the mail can end it.
pub(super) async fn topic(session: &Session, stack: &Stack) -> Finding {
    let name = "e-mail";
    let (mut confirmed, mut pending, mut token) = (0_u32, 0_u32, None);
    loop {
        let asked = session.clients.sns.list_subscriptions_by_topic().topic_arn(&stack.topic);
        let page = match asked.set_next_token(token).send().await {
            Ok(page) => page,
            Err(error) => {
                return Finding::bad(
                    name,
                    fault(&format!("listing the subscriptions of {}", stack.topic), &error),
                );
            }
        };
        for subscription in page.subscriptions() {
            match subscription.subscription_arn() {
                Some(arn) if arn.starts_with("arn:") => confirmed += 1,
                Some("PendingConfirmation") => pending += 1,
                // Deleted ones are listed for a while.
                _ => {}
            }
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    let used = stack.settings.channels.contains(&Channel::Email);
    let detail = format!("{confirmed} confirmed and {pending} unconfirmed subscriptions");
    match (used, confirmed, pending) {
        (true, 0, _) => {
            let what = format!("{detail}: alerts by e-mail reach nobody; confirm the mail that SNS has sent");
            Finding::bad(name, Fault::new(Code::MailUnconfirmed, what))
        }
        (_, _, 1..) => {
            let what = format!("{detail}: confirm the mail that SNS has sent, within two days");
            Finding::doubtful(name, Fault::new(Code::MailUnconfirmed, what))
        }
        (false, 0, _) => Finding::good(name, "switched off, and alarms reach nobody by e-mail"),
        _ => Finding::good(name, detail),
    }
}
