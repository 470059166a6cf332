//! Owners who are long in coming. What looks for them again and again must not be what Lambda stops as a loop:
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>.

use std::time::Duration;

use demo::DirectoryAnswer;
use pipeline::{Function, ports::Queue};
use serde_json::json;
use tests::process::until;

use super::clocked::Clocked;

const MINUTE: Duration = Duration::from_secs(60);

/// How often an owner was looked for again and not found.
async fn looked(clocked: &Clocked) -> usize {
    let lines = clocked.testbed.log_lines().await;
    lines.iter().filter(|line| line.contains("still without an owner")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_looked_for_to_the_last_without_a_chain_that_lambda_would_stop() {
    // By default, and where the waits begin with a second, so that most of them go through the queue.
    for (delay, longest) in [("600", 2), ("0", 11)] {
        let mut clocked = Clocked::new(&[("DelaySeconds", delay)], |configuration| {
            // Not because it may.
            configuration.may_loop = false;
        })
        .await;
        let sample = clocked.ownerless().await;
        let settings = clocked.testbed.stack.outputs.settings.clone();
        for number in 1..settings.rechecks {
            clocked.pass(settings.recheck_wait(number) + MINUTE).await;
        }
        assert_eq!(looked(&clocked).await, settings.rechecks as usize - 1, "{delay}");
        assert_eq!(clocked.testbed.alert_counts(&sample.lead_id), (1, 1), "{delay}");
        // On the last day.
        let document = json!({"lead_id": sample.lead_id, "lead_owner": "Sales North"});
        clocked
            .testbed
            .owners
            .set_answer(sample.lead_id.clone(), DirectoryAnswer::Document(document.to_string()));
        clocked.pass(settings.recheck_wait(settings.rechecks) + MINUTE).await;
        until("the follow-up has come", || async { clocked.testbed.alert_counts(&sample.lead_id) == (2, 1) })
            .await;

        assert_eq!(clocked.testbed.host.longest_chain(Function::LeadProcessor), longest, "{delay}");
        assert_eq!(clocked.testbed.depth(Queue::Delay).await.dead, 0, "{delay}");
        assert_eq!(clocked.testbed.keys("scheduled/").await, Vec::<String>::new(), "{delay}");
        assert_eq!(clocked.testbed.host.failures(), [], "{delay}");
    }
}

/// What the test above stands on. A wait of four hours in steps of a quarter of an hour is a loop.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_sends_to_itself_is_stopped_after_sixteen_turns() {
    let mut clocked = Clocked::new(&[("DelaySeconds", "600")], |configuration| {
        configuration.may_loop = false;
        configuration.variables.insert("SCHEDULE".to_owned(), "false".to_owned());
    })
    .await;
    let sample = clocked.ownerless().await;
    for _ in 0..16 {
        clocked.pass(15 * MINUTE).await;
    }
    let dead = clocked.testbed.until_dead(Queue::Delay, 1).await;
    assert_eq!(dead[0].lead_id.as_ref(), Some(&sample.lead_id), "{dead:#?}");
    assert_eq!(clocked.testbed.host.longest_chain(Function::LeadProcessor), 16);
    assert!(looked(&clocked).await < 6);
}
