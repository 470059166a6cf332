//! The bucket.

use aws_sdk_s3::{error::ProvideErrorMetadata as _, types::Event};
use pipeline::{Code, Fault};

use super::Checked;
use crate::{
    fault::fault,
    operator::{Session, Stack},
};

/// Whether it is there and may be read.
pub(super) async fn bucket(session: &Session, stack: &Stack) -> Checked {
    let listed = session.clients.s3.list_objects_v2().bucket(&stack.bucket).max_keys(1).send().await;
    listed.map_err(|error| fault(&format!("listing the bucket {}", stack.bucket), &error))?;
    Ok(format!("{} can be read", stack.bucket))
}

/// Whether what is written under the source prefix is put into the delay queue.
pub(super) async fn notification(session: &Session, stack: &Stack) -> Checked {
    let asked = session.clients.s3.get_bucket_notification_configuration().bucket(&stack.bucket).send().await;
    let answer =
        asked.map_err(|error| fault(&format!("reading the notifications of {}", stack.bucket), &error))?;
    let prefix = &stack.settings.source_prefix;
    let queue = stack.queues.delay.as_deref().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
    let found = answer.queue_configurations().iter().any(|rule| {
        let all = [Event::S3ObjectCreated, Event::S3ObjectCreatedPut];
        let rules = rule.filter().and_then(|filter| filter.key()).map_or(&[][..], |key| key.filter_rules());
        // A filter of another prefix, or of a suffix that our keys do not have, never matches them.
        let passes = rules.iter().all(|rule| {
            let value = rule.value().unwrap_or_default();
            match rule.name().map(|name| name.as_str().to_ascii_lowercase()).as_deref() {
                Some("prefix") => prefix.starts_with(value),
                Some("suffix") => ".json".ends_with(value),
                _ => false,
            }
        });
        passes
            && rule.queue_arn().rsplit(':').next() == Some(queue)
            && rule.events().iter().any(|event| all.contains(event))
    });
    if found {
        return Ok(format!("what is written to {prefix} goes into {queue}"));
    }
    let what =
        format!("what is written to {}/{prefix} is not put into {queue}: no lead is processed", stack.bucket);
    Err(Fault::new(Code::ResourceMissing, what).into())
}

/// Whether public access is blocked.
pub(super) async fn public_access(session: &Session, stack: &Stack) -> Checked {
    let asked = session.clients.s3.get_public_access_block().bucket(&stack.bucket).send().await;
    let open = |what: &str| {
        Err(Fault::new(Code::StackUnusable, format!("the bucket {} {what}", stack.bucket)).into())
    };
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => {
            return open("blocks no public access");
        }
        Err(error) => {
            return Err(fault(&format!("reading the public access block of {}", stack.bucket), &error).into());
        }
    };
    let is_closed = answer.public_access_block_configuration().is_some_and(|block| {
        let blocked = [
            block.block_public_acls(),
            block.ignore_public_acls(),
            block.block_public_policy(),
            block.restrict_public_buckets(),
        ];
        blocked == [Some(true); 4]
    });
    if is_closed {
        Ok("all public access is blocked".to_owned())
    } else {
        open("does not block all public access")
    }
}
