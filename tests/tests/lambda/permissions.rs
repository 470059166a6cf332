//! Each function may do what it needs, and nothing else.

use std::{collections::BTreeSet, time::Duration};

use console::demo::{Answer, Mood, Says};
use pipeline::{Code, ports::Queue};
use tests::{
    lambda::Scene,
    process::{PATIENCE, until},
};

/// Everything that the functions ever do: whatever a role may do is used, and whatever is used is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_do_is_needed_and_what_is_needed_it_may_do() {
    let mut scene = Scene::with(&[("UseEmail", "true"), ("Rechecks", "1")]).await;
    let mut leads = BTreeSet::from([scene.accept().await]);
    // Looked for again: a message to the delay queue.
    let ownerless = scene.ownerless();
    // Tried again: a message's visibility.
    let slow = scene.sample();
    scene.owners.say(slow.lead_id.clone(), Says::SlowDown);
    // Told to wait.
    let busy = scene.sample();
    let wait = Duration::from_secs(1);
    scene.slack.feel_at(busy.lead_id.clone(), Mood::Busy { retry_after: wait }, wait);
    for sample in [&ownerless, &slow, &busy] {
        assert_eq!(scene.deliver(sample).await, Answer::Accepted);
        leads.insert(sample.lead_id.clone());
    }
    until("all are told", || async {
        scene.pass_in_queues(Duration::from_secs(5)).await;
        leads.iter().all(|lead| scene.told(lead).0 > 0)
    })
    .await;
    // Dead letters of both queues.
    scene.put_message(Queue::Delay, "garbage").await;
    scene.until_dead(Queue::Delay, 1).await;
    scene.slack.feel(Mood::Gone, PATIENCE);
    scene.accept().await;
    scene.until_dead(Queue::Notification, 1).await;

    let denied = Code::AwsDenied.as_str();
    let lines = scene.log_lines().await;
    let refused: Vec<&String> = lines.iter().filter(|line| line.contains(denied)).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let roles: Vec<String> = [
        pipeline::Function::WebhookIngestion,
        pipeline::Function::LeadProcessor,
        pipeline::Function::Notification,
    ]
    .map(|function| scene.host.configuration(function).role_name().to_owned())
    .into();
    let all = scene.stack.moto.permissions().await;
    let of_functions = all.iter().filter(|permission| roles.contains(&permission.role));
    let unused: Vec<_> = of_functions.clone().filter(|permission| !permission.used).collect();
    assert!(of_functions.count() > 20, "{all:#?}");
    assert!(unused.is_empty(), "nobody needs these: {unused:#?}");
}
