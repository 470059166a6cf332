//! What the tests of AWS stand on: moto, where it had to be corrected to behave as AWS does.

use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use pipeline::ports::Clock;
use tests::{
    aws::{Moto, QueueRules},
    clock::VirtualClock,
};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(1);
const RULES: QueueRules =
    QueueRules { delay: Duration::ZERO, visibility: Duration::from_secs(45), max_receives: 2 };

async fn receive(sqs: &aws_sdk_sqs::Client, queue: &str) -> Vec<aws_sdk_sqs::types::Message> {
    let receive = sqs.receive_message().queue_url(queue).wait_time_seconds(20).max_number_of_messages(10);
    let all = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    all.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default()
}

#[tokio::test]
async fn queues_go_by_the_virtual_clock_to_the_millisecond() {
    let clock = VirtualClock::start();
    let moto = Moto::frozen(&clock).await;
    let sqs = moto.clients().sqs;
    let (queue, dead) = moto.queue("q", RULES).await;
    clock.advance(Duration::from_millis(123));
    let sent_at = clock.now();
    sqs.send_message().queue_url(&queue).message_body("x").delay_seconds(900).send().await.unwrap();
    clock.advance(SECOND * 900 - TICK);
    assert_eq!(receive(&sqs, &queue).await, []);
    clock.advance(TICK);
    for count in ["1", "2"] {
        let [message] = receive(&sqs, &queue).await.try_into().unwrap();
        let attribute = |name| message.attributes.as_ref().unwrap()[&name].as_str();
        assert_eq!(
            attribute(MessageSystemAttributeName::SentTimestamp),
            sent_at.as_millisecond().to_string()
        );
        assert_eq!(attribute(MessageSystemAttributeName::ApproximateReceiveCount), count);
        clock.advance(SECOND * 45 - TICK);
        assert_eq!(receive(&sqs, &queue).await, []);
        clock.advance(TICK);
    }
    assert_eq!((receive(&sqs, &queue).await, receive(&sqs, &dead).await.len()), (vec![], 1));
}

#[tokio::test]
async fn an_account_without_a_clock_has_the_time_of_the_machine() {
    let moto = Moto::start().await;
    let sqs = moto.clients().sqs;
    let (queue, _) = moto.queue("q", RULES).await;
    let before = lead::Timestamp::now().as_millisecond();
    sqs.send_message().queue_url(&queue).message_body("x").send().await.unwrap();
    let [message] = receive(&sqs, &queue).await.try_into().unwrap();
    let sent = &message.attributes.unwrap()[&MessageSystemAttributeName::SentTimestamp];
    let sent: i64 = sent.parse().unwrap();
    assert!((before..=lead::Timestamp::now().as_millisecond()).contains(&sent), "{sent}");
}
