//! [`Clocked`].

use std::time::Duration;

use demo::{Answer, Sample};
use pipeline::ports::Queue;
use tests::{
    lambda::{AwsTestbed, Configuration, Host},
    process::until,
    time::Time,
};

/// A stack whose functions go by a clock that the test sets.
pub(crate) struct Clocked {
    pub(crate) testbed: AwsTestbed,
    pub(crate) time: Time,
}

impl Clocked {
    pub(crate) async fn new(parameters: &[(&str, &str)], change: fn(&mut Configuration)) -> Self {
        let mut testbed = AwsTestbed::with(parameters).await;
        testbed.host.stop_polling().await;
        let time = Time::new(Some(testbed.stack.moto.clone())).await;
        let clocked = |configuration: &mut Configuration| {
            configuration.clock = time.clock();
            let variables = time.variables().into_iter();
            configuration.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
            change(configuration);
        };
        testbed.host = Host::start(&testbed.stack, &testbed.to_aws.endpoint, clocked).await;
        Self { testbed, time }
    }

    /// Has Close deliver a lead that nobody owns, and lets its delay pass.
    pub(crate) async fn ownerless(&mut self) -> Sample {
        let sample = self.testbed.ownerless();
        assert_eq!(self.testbed.host.close().send(&sample).await, [Answer::Accepted]);
        self.pass(self.testbed.stack.outputs.settings.delay).await;
        self.testbed.until_notified(std::slice::from_ref(&sample.lead_id)).await;
        sample
    }

    /// Lets time pass at once, and waits until all that is due by then is done.
    pub(crate) async fn pass(&self, by: Duration) {
        self.time.advance(by).await;
        self.testbed.host.tick().await;
        until("nothing is ready or in hand", || async {
            let depths =
                [self.testbed.depth(Queue::Delay).await, self.testbed.depth(Queue::Notification).await];
            depths.iter().all(|depth| depth.ready + depth.in_flight == 0) && self.testbed.host.is_idle()
        })
        .await;
    }
}
