//! [`Clocked`].

use std::time::Duration;

use demo::{Answer, Sample};
use pipeline::ports::Queue;
use tests::{
    lambda::{Configuration, Host, Scene},
    process::until,
    time::Time,
};

/// A stack whose functions go by a clock that the test sets.
pub(crate) struct Clocked {
    pub(crate) scene: Scene,
    pub(crate) time: Time,
}

impl Clocked {
    pub(crate) async fn new(parameters: &[(&str, &str)], change: fn(&mut Configuration)) -> Self {
        let mut scene = Scene::with(parameters).await;
        scene.host.stop_polling().await;
        let time = Time::new(Some(scene.stack.moto.clone())).await;
        let clocked = |configuration: &mut Configuration| {
            configuration.clock = time.clock();
            let variables = time.variables().into_iter();
            configuration.variables.extend(variables.map(|(name, value)| (name.to_owned(), value)));
            change(configuration);
        };
        scene.host = Host::start(&scene.stack, &scene.to_aws.endpoint, clocked).await;
        Self { scene, time }
    }

    /// Has Close deliver a lead that nobody owns, and lets its delay pass.
    pub(crate) async fn ownerless(&mut self) -> Sample {
        let sample = self.scene.ownerless();
        assert_eq!(self.scene.host.close().send(&sample).await, [Answer::Accepted]);
        self.pass(self.scene.stack.outputs.settings.delay).await;
        self.scene.until_told(std::slice::from_ref(&sample.lead_id)).await;
        sample
    }

    /// Lets time pass at once, and waits until all that is due by then is done.
    pub(crate) async fn pass(&self, by: Duration) {
        self.time.advance(by).await;
        self.scene.host.tick().await;
        until("nothing is ready or in hand", || async {
            let depths = [self.scene.depth(Queue::Delay).await, self.scene.depth(Queue::Notification).await];
            depths.iter().all(|depth| depth.ready + depth.in_flight == 0) && self.scene.host.is_idle()
        })
        .await;
    }
}
