//! Whether owners are looked for again: the schedule, and Lambda's way with what looks like a loop.

use jiff::SignedDuration;
use lead::Timestamp;
use pipeline::{Code, Fault, Function};

use super::{Finding, Session, Stack};
use crate::{S3Store, operator::SignedRequest};

/// How long after its time a look-up may wait for the scheduler, which is called each minute.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Whether there is a scheduler, and it does what is due.
pub(super) async fn schedule(stack: &Stack, store: &S3Store, now: Timestamp) -> Finding {
    let check = "schedule";
    if stack.function(Function::Housekeeping).is_none() {
        let what = "the stack has no housekeeping yet: the owners of leads are looked for again for three hours only, \
                    as Lambda stops what looks like a loop. Deploy it with this version";
        return Finding::doubtful(check, Fault::new(Code::StackUnusable, what));
    }
    match store.scheduled_since(now).await {
        Err(fault) => Finding::bad(check, fault),
        Ok(Some(since)) if now.duration_since(since) > LATE => {
            let what = format!(
                "look-ups have been due since {since:.0}: housekeeping is not called, or fails. See `leadops logs \
                 --function housekeeping` and its rule in EventBridge"
            );
            Finding::bad(check, Fault::new(Code::StackUnusable, what))
        }
        Ok(_) => Finding::good(check, "no look-up is late"),
    }
}

/// Whether Lambda would stop the processor, whose look-ups are messages to itself at first. `fetch` sends a request,
/// and gives the answer's status and body, or what went wrong.
pub(super) async fn recursion(
    session: &Session,
    stack: &Stack,
    fetch: impl AsyncFn(SignedRequest) -> Result<(u16, String), String>,
) -> Finding {
    let check = "loop detection";
    let name = stack.function(Function::LeadProcessor).unwrap_or_default();
    // https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html
    let asked = session.signed("lambda", &format!("/2024-08-31/functions/{name}/recursion-config")).await;
    let asked = match asked {
        Ok(signed) => fetch(signed).await,
        Err(fault) => return Finding::bad(check, fault),
    };
    let doubtful = |code, what: String| Finding::doubtful(check, Fault::new(code, what));
    let doing = format!("asking for the recursion configuration of {name}");
    match asked {
        Ok((200, body)) if body.contains("\"Allow\"") => {
            Finding::good(check, format!("Lambda lets {name} send to itself"))
        }
        Ok((200, _)) => {
            let what = format!(
                "Lambda stops {name} when it has sent to itself sixteen times, and owners are no longer looked for: \
                 deploy the stack with this version"
            );
            doubtful(Code::StackUnusable, what)
        }
        Ok((403, _)) => {
            let what = format!("{doing}: lambda:GetFunctionRecursionConfig is denied");
            doubtful(Code::AwsDenied, what)
        }
        Ok((404, _)) => {
            Finding::bad(check, Fault::new(Code::ResourceMissing, format!("there is no function {name}")))
        }
        Ok((status, _)) => doubtful(Code::AwsFailed, format!("{doing}: Lambda answered {status}")),
        Err(what) => doubtful(Code::AwsUnreachable, format!("{doing}: {what}")),
    }
}
