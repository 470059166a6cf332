use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use close::client::{ApiKeys, CloseBase, CloseReader, KeySource};
use close::{CloseAnswer, CloseApi};
use close::{CreatedLead, FieldSetting, Incoming};
use lead::OwnerFacts;
use pipeline::{
    Code,
    owners::{CloseOwners, OwnerFields, Retrieved},
    ports::{LookupOptions, LookupOutcome, NextLookup, Owners},
};
use tests::{
    clock::VirtualClock,
    close::{API_KEY, Close, FUNNEL_FIELD, OWNER_FIELD, Switches},
    faulty::{FaultPlan, Faulty},
    memory::Memory,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A look-up that takes what the event says.
pub(crate) const LOOK: LookupOptions = LookupOptions { fresh: false, within: None };
/// One that does not.
pub(crate) const FRESH: LookupOptions = LookupOptions { fresh: true, within: None };

/// Close over HTTP, a store in memory, and a time of their own.
pub(crate) struct OwnersTestbed {
    pub(crate) close: Close,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) memory: Memory,
    /// The faults of the store.
    pub(crate) plan: Arc<FaultPlan>,
    pub(crate) switches: Switches,
    traffic: Arc<Traffic>,
}

/// Questions between this process and Close.
#[derive(Default)]
struct Traffic {
    under_way: AtomicUsize,
    given_up: AtomicUsize,
}

/// The reader, with its traffic counted.
struct CountingReads {
    reader: CloseReader,
    traffic: Arc<Traffic>,
}

/// A question under way, unless it is answered one that is given up.
struct UnderWay<'a>(&'a Traffic, bool);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Self(traffic, is_answered) = self;
        traffic.given_up.fetch_add(usize::from(!*is_answered), SeqCst);
        traffic.under_way.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl CloseApi for CountingReads {
    async fn get(&self, path: &str) -> Result<CloseAnswer, close::Error> {
        self.traffic.under_way.fetch_add(1, SeqCst);
        let mut under_way = UnderWay(&self.traffic, false);
        let answer = self.reader.get(path).await;
        under_way.1 = true;
        answer
    }
}

impl OwnersTestbed {
    /// The account of the samples.
    pub(crate) async fn new(switches: Switches) -> Self {
        let (close, clock) = (Close::example().await, VirtualClock::start());
        close.account().switches = switches;
        close.account().clock = clock.clone();
        let (memory, plan, traffic) = (Memory::new(clock.clone()), FaultPlan::none(), Arc::default());
        Self { close, clock, memory, plan, switches, traffic }
    }

    /// A process that looks owners up: in this field, and the funnel in its own, with the one key.
    pub(crate) fn process(&self, owner_field: &str) -> CloseOwners {
        self.process_with(owner_field, Some(FUNNEL_FIELD), Arc::new(ApiKeys::parse(API_KEY).unwrap()))
    }

    /// One that looks in the field of the samples.
    pub(crate) fn owners(&self) -> CloseOwners {
        self.process(OWNER_FIELD)
    }

    /// One with these settings and keys. It waits in place for a turn of up to a minute.
    pub(crate) fn process_with(
        &self,
        owner: &str,
        funnel: Option<&str>,
        keys: Arc<dyn KeySource>,
    ) -> CloseOwners {
        let fields =
            OwnerFields { owner: FieldSetting::parse(owner), funnel: funnel.and_then(FieldSetting::parse) };
        self.patient(fields, keys, MINUTE)
    }

    /// One that waits in place for a turn of up to `patience`.
    pub(crate) fn patient(
        &self,
        fields: OwnerFields,
        keys: Arc<dyn KeySource>,
        patience: Duration,
    ) -> CloseOwners {
        let reader = CloseReader::new(self.base(), keys).unwrap();
        let api = Arc::new(CountingReads { reader, traffic: Arc::clone(&self.traffic) });
        let objects = Faulty::new(self.memory.clone(), self.plan.clone(), self.clock.clone());
        CloseOwners::new(api, Arc::new(objects), self.clock.clone(), fields, patience)
    }

    pub(crate) fn base(&self) -> CloseBase {
        CloseBase::parse(&self.close.url).unwrap()
    }

    /// The lead as its webhook carries it.
    pub(crate) fn lead(&self, id: &str) -> CreatedLead {
        created(&self.close.account().webhook(id))
    }

    /// Looks an owner up.
    pub(crate) async fn find(&self, owners: &CloseOwners, lead: &str, look: LookupOptions) -> LookupOutcome {
        let lead = self.lead(lead);
        self.run(owners.find(&lead, look)).await
    }

    /// Looks an owner up, and once more whenever it is asked to wait, a few times.
    pub(crate) async fn find_in_the_end(
        &self,
        owners: &CloseOwners,
        lead: &str,
        look: LookupOptions,
    ) -> LookupOutcome {
        for _ in 0..4 {
            match self.find(owners, lead, look).await {
                LookupOutcome { then: NextLookup::Wait(wait), .. } => self.clock.advance(wait),
                found => return found,
            }
        }
        self.find(owners, lead, look).await
    }

    /// Runs a future to its end. Time passes while it can do nothing but sleep, and stands still while Close is
    /// about to answer.
    pub(crate) async fn run<F: Future>(&self, future: F) -> F::Output {
        // Otherwise tokio would have it yield now and then, and it would look as if it slept.
        let mut future = pin!(tokio::task::unconstrained(future));
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        poll_fn(|context| {
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(context) {
                    return Poll::Ready(output);
                }
                match self.clock.next_wake().filter(|_| self.is_quiet()) {
                    Some(wait) => self.clock.advance(wait),
                    // Woken by an answer, or to see whether one will never come.
                    None if tick.poll_tick(context).is_pending() => return Poll::Pending,
                    None => {}
                }
            }
        })
        .await
    }

    /// Whether every question under way is one that is never answered: those are given up and not before.
    fn is_quiet(&self) -> bool {
        let unanswered = self.close.account().unanswered();
        let given_up = self.traffic.given_up.load(SeqCst);
        self.traffic.under_way.load(SeqCst) + given_up == unanswered
    }

    /// What was asked since the last time, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.close.account().requests)
    }

    /// What is stored of the organisation.
    pub(crate) fn retrieved(&self) -> Option<Retrieved> {
        serde_json::from_slice(&self.memory.stored(Retrieved::KEY)?).ok()
    }
}

/// Runs a test under each answer that Close may give to what nobody has seen it answer.
pub(crate) async fn under_every_switch(test: impl AsyncFn(&OwnersTestbed)) {
    under(Switches::each(), test).await;
}

/// Runs a test under the likeliest answers, for what none of the others makes a difference to.
pub(crate) async fn under_the_likeliest(test: impl AsyncFn(&OwnersTestbed)) {
    under(vec![Switches::default()], test).await;
}

/// Runs a test under each of these. No redirect is followed in any.
pub(crate) async fn under(all: Vec<Switches>, test: impl AsyncFn(&OwnersTestbed)) {
    for switches in all {
        // Shown where it fails.
        println!("under {switches}");
        let testbed = OwnersTestbed::new(switches).await;
        test(&testbed).await;
        assert_eq!(testbed.close.account().misdirected, []);
    }
}

/// The lead in a webhook.
pub(crate) fn created(webhook: &[u8]) -> CreatedLead {
    match Incoming::parse(webhook) {
        Ok(Incoming::Created(lead)) => *lead,
        other => panic!("{other:?}"),
    }
}

/// The code of an outcome and what it says of the next look-up.
pub(crate) fn outcome(found: &LookupOutcome) -> (Option<Code>, NextLookup) {
    (found.why.as_ref().map(|why| why.code), found.then)
}

/// The names of all owners with whether each is still there.
pub(crate) fn named(facts: &OwnerFacts) -> Vec<(&str, bool)> {
    facts.owners.iter().map(|owner| (owner.name.as_str(), owner.active)).collect()
}

/// Every text of an outcome that a person may read.
pub(crate) fn texts(found: &LookupOutcome) -> String {
    let facts = &found.facts;
    let texts = [&facts.lead_owner, &facts.lead_email, &facts.lead_phone, &facts.funnel, &facts.status_label];
    let texts = texts.into_iter().flatten().chain(facts.owners.iter().map(|owner| &owner.name));
    texts.chain(found.why.as_ref().map(|why| &why.what)).fold(String::new(), |all, text| all + "\n" + text)
}
