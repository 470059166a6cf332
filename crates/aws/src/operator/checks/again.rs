//! Whether owners are looked for again: the schedule, and Lambda's way with what looks like a loop.

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{CheckOutcome, Code, Fault, Function};

use super::{Checked, Session, Stack};
use crate::{S3Store, operator::SignedRequest};

/// How long after its time a look-up may wait for the scheduler, which is called each minute.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Whether there is a scheduler, and it does what is due.
pub(super) async fn schedule(stack: &Stack, store: &S3Store, now: Timestamp) -> Checked {
    if stack.function(Function::Housekeeping).is_none() {
        let what = "the stack has no housekeeping yet: the owners of leads are looked for again for three hours only, \
                    as Lambda stops what looks like a loop. Deploy it with this version";
        return Err(CheckOutcome::warning(Code::StackUnusable, what));
    }
    let late = store.scheduled_since(now).await?.filter(|since| now.duration_since(*since) > LATE);
    let Some(since) = late else { return Ok("no look-up is late".to_owned()) };
    let what = format!(
        "look-ups have been due since {since:.0}: housekeeping is not called, or fails. See `leadops logs \
         --function housekeeping` and its rule in EventBridge"
    );
    Err(Fault::new(Code::StackUnusable, what).into())
}

/// Whether Lambda would stop the processor, whose look-ups are messages to itself at first. `fetch` sends a request,
/// and gives the answer's status and body, or what went wrong.
pub(super) async fn recursion(
    session: &Session,
    stack: &Stack,
    fetch: impl AsyncFn(SignedRequest) -> Result<(u16, String), String>,
) -> Checked {
    let name = stack.function(Function::LeadProcessor).unwrap_or_default();
    // https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html
    let request = session.signed("lambda", &format!("/2024-08-31/functions/{name}/recursion-config")).await?;
    let doubtful = |code, what: String| Err(CheckOutcome::warning(code, what));
    let doing = format!("asking for the recursion configuration of {name}");
    match fetch(request).await {
        Ok((200, body)) if body.contains("\"Allow\"") => Ok(format!("Lambda lets {name} send to itself")),
        Ok((200, _)) => {
            let what = format!(
                "Lambda stops {name} when it has sent to itself sixteen times, and owners are no longer looked for: \
                 deploy the stack with this version"
            );
            doubtful(Code::StackUnusable, what)
        }
        Ok((403, _)) => {
            doubtful(Code::AwsDenied, format!("{doing}: lambda:GetFunctionRecursionConfig is denied"))
        }
        Ok((404, _)) => Err(Fault::new(Code::ResourceMissing, format!("there is no function {name}")).into()),
        Ok((status, _)) => doubtful(Code::AwsFailed, format!("{doing}: Lambda answered {status}")),
        Err(what) => doubtful(Code::AwsUnreachable, format!("{doing}: {what}")),
    }
}
