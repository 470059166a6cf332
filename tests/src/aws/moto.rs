//! [`Moto`]: an AWS account on this machine.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws::{
    Clients,
    operator::{Keys, Session},
};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::{
    config::{Credentials, SharedCredentialsProvider, SharedHttpClient},
    types::{
        Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter,
        QueueConfiguration, S3KeyFilter,
    },
};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::Builder as HttpClientBuilder;
use lead::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::server::Server;
use crate::{clock::VirtualClock, http};

/// The region that everything is in.
pub const REGION: &str = "us-east-1";

/// An AWS account of its own, and the key of its root user, who may do everything.
///
/// The accounts of a test program share one server, which ends with the program. Each has its own
/// resources and its own time; only the names of buckets are shared, as on AWS: use [`Moto::named`].
/// Who comes with the keys of a role (from `AssumeRole`) is let do what its policies allow, and nobody
/// else anything.
#[derive(Debug, Clone)]
pub struct Moto {
    server: &'static Server,
    account: String,
    /// One for all clients. It knows no TLS, for which each would read all certificates of the machine.
    http: SharedHttpClient,
    clients: Arc<OnceLock<Clients>>,
}

/// The temporary keys of a role.
#[derive(Debug, Clone)]
pub(crate) struct RoleKeys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// What a role may do: one action on one resource, as its policies have them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Permission {
    /// The role's name.
    pub role: String,
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Whether anything was ever allowed by it.
    pub used: bool,
}

/// How a queue behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueRules {
    /// How long a message stays out of sight after it was sent.
    pub delay: Duration,
    /// How long after it was received.
    pub visibility: Duration,
    /// How often a message is received before it becomes a dead letter.
    pub max_receives: u32,
}

/// A message that was published to SNS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Mail {
    /// The topic's ARN.
    pub topic: String,
    /// Its subject.
    pub subject: Option<String>,
    /// Its text.
    pub message: String,
}

/// What is in a bucket and in queues, as moto has it: `tests/moto/stored.py`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Stored {
    /// The objects, by their keys.
    pub objects: BTreeMap<String, Value>,
    /// The messages, by the names of their queues.
    pub queues: BTreeMap<String, Vec<Value>>,
}

impl Moto {
    /// An account that goes by the machine's time.
    pub async fn start() -> Self {
        static ACCOUNTS: AtomicU64 = AtomicU64::new(100_000_000_001);
        let server = tokio::task::spawn_blocking(Server::shared).await.unwrap();
        Self {
            server,
            account: ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string(),
            http: HttpClientBuilder::new().build_http(),
            clients: Arc::default(),
        }
    }

    /// An account whose time is a virtual clock's, now and after each of its steps. Long polls of its
    /// queues answer at once.
    pub async fn frozen(clock: &VirtualClock) -> Self {
        let moto = Self::start().await;
        let file = File::create(moto.server.clocks.join(&moto.account)).unwrap();
        // In place and always of the same length: a request reads the old time or the new one.
        clock.on_change(move |now: Timestamp| {
            file.write_all_at(format!("{:020}", now.as_microsecond()).as_bytes(), 0).unwrap();
        });
        moto
    }

    /// Has the account's time be so many seconds ahead of the machine's, or behind it.
    pub async fn set_ahead(&self, seconds: i64) {
        self.put("clock", &json!({ "ahead": seconds })).await;
    }

    /// The address of all services.
    pub fn endpoint(&self) -> &str {
        &self.server.endpoint
    }

    /// The account's twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// A name that no other account has, for a bucket.
    pub fn named(&self, name: &str) -> String {
        format!("{name}-{}", self.account)
    }

    /// The environment variables of a program that works with the root user's key.
    pub fn variables(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", &self.root_key()),
            ("AWS_SECRET_ACCESS_KEY", "unused"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The services that functions use, with the root user's key.
    pub fn clients(&self) -> Clients {
        let variables = self.variables();
        let make = || Clients::of_function(|name| variables.get(name).cloned()).unwrap();
        self.clients.get_or_init(make).clone()
    }

    /// A session of the root user, who operates.
    pub async fn session(&self) -> Session {
        let keys = Keys::new(&self.root_key(), "unused", None);
        Session::with_keys(keys, REGION, Some(self.endpoint())).await.unwrap()
    }

    /// The configuration of any other client, with the root user's key.
    pub fn config(&self) -> SdkConfig {
        self.config_with(Credentials::new(self.root_key(), "unused", None, None, "tests"))
    }

    /// The configuration of a client that works in a role.
    pub(crate) fn config_as(&self, keys: &RoleKeys) -> SdkConfig {
        self.config_with(Credentials::new(&keys.id, &keys.secret, Some(keys.token.clone()), None, "tests"))
    }

    fn config_with(&self, credentials: Credentials) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(self.endpoint())
            .http_client(self.http.clone())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    fn root_key(&self) -> String {
        format!("ROOTKEY0{}", self.account)
    }

    /// What a service says that has no client here. Moto does not look at signatures.
    pub(crate) async fn rest(&self, service: &str, path: &str) -> Value {
        let key = self.root_key();
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/{service}/aws4_request, Signature=none"
        );
        let get = http::client().get(format!("{}{path}", self.endpoint())).header("authorization", signed);
        get.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Keys of a role, as Lambda gets them for a function.
    pub(crate) async fn assume(&self, role: &str, session: &str) -> RoleKeys {
        let sts = aws_sdk_sts::Client::new(&self.config());
        let assumed = sts.assume_role().role_arn(role).role_session_name(session).send().await.unwrap();
        let keys = assumed.credentials.unwrap();
        RoleKeys { id: keys.access_key_id, secret: keys.secret_access_key, token: keys.session_token }
    }

    /// Makes a bucket.
    pub async fn bucket(&self, name: &str) {
        self.clients().s3.create_bucket().bucket(name).send().await.unwrap();
    }

    /// Makes a queue, and its dead-letter queue `{name}-dead` that keeps messages for 14 days. Returns the
    /// URLs of both.
    pub async fn queue(&self, name: &str, rules: QueueRules) -> (String, String) {
        const DEAD_FOR: u32 = 14 * 86_400;
        let sqs = self.clients().sqs;
        let dead = format!("{name}-dead");
        let create_dead = sqs
            .create_queue()
            .queue_name(&dead)
            .attributes(QueueAttributeName::MessageRetentionPeriod, DEAD_FOR.to_string());
        let dead_url = create_dead.send().await.unwrap().queue_url.unwrap();
        let redrive =
            json!({ "deadLetterTargetArn": self.queue_arn(&dead), "maxReceiveCount": rules.max_receives });
        let create = sqs
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::DelaySeconds, rules.delay.as_secs().to_string())
            .attributes(QueueAttributeName::VisibilityTimeout, rules.visibility.as_secs().to_string())
            .attributes(QueueAttributeName::RedrivePolicy, redrive.to_string());
        (create.send().await.unwrap().queue_url.unwrap(), dead_url)
    }

    /// Has a bucket notify a queue of each new object under a prefix, and the queue take it. The queue is
    /// sent `s3:TestEvent` at once, as on AWS.
    pub async fn notify(&self, bucket: &str, prefix: &str, queue_url: &str) {
        let arn = self.queue_arn(queue_url.rsplit('/').next().unwrap());
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "s3.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": { "StringEquals": { "aws:SourceAccount": self.account } },
            }],
        });
        let clients = self.clients();
        let set = clients.sqs.set_queue_attributes().queue_url(queue_url);
        set.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.unwrap();
        let rule = FilterRule::builder().name(FilterRuleName::Prefix).value(prefix).build();
        let key = S3KeyFilter::builder().filter_rules(rule).build();
        let queue = QueueConfiguration::builder()
            .queue_arn(arn)
            .events(Event::S3ObjectCreated)
            .filter(NotificationConfigurationFilter::builder().key(key).build())
            .build()
            .unwrap();
        let configuration = NotificationConfiguration::builder().queue_configurations(queue).build();
        let put = clients.s3.put_bucket_notification_configuration().bucket(bucket);
        put.notification_configuration(configuration).send().await.unwrap();
    }

    /// Makes a log group.
    pub async fn log_group(&self, name: &str) {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.config());
        logs.create_log_group().log_group_name(name).send().await.unwrap();
    }

    /// Everything that was published to the account's topics, the oldest first.
    pub async fn mails(&self) -> Vec<Mail> {
        let answer = http::client().get(self.own_route("mails")).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// What the account's roles may do.
    pub async fn permissions(&self) -> Vec<Permission> {
        let answer = http::client().get(self.own_route("permissions")).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// Lets time pass for the messages of the account's queues, and for nothing else: delays and visibility
    /// timeouts end earlier by so much.
    pub async fn pass_in_queues(&self, time: Duration) {
        self.put("queues", &json!({ "seconds": time.as_secs_f64() })).await;
    }

    /// Ends the long polls of the account's queues that have reached it.
    pub(crate) async fn end_polls(&self) {
        self.put("queues", &json!({})).await;
    }

    /// How S3's events are delivered from now on, which come once and at once by default: each so often, and
    /// so many of them together, the newest first.
    pub async fn deliver_events(&self, copies: usize, together: usize) {
        self.put("events", &json!({ "copies": copies, "together": together })).await;
    }

    /// Puts many objects into a bucket at once, which notifies no queue of them.
    pub async fn put_objects(&self, bucket: &str, objects: impl Iterator<Item = (String, String)>) {
        let objects: BTreeMap<String, String> = objects.collect();
        self.put("objects", &json!({ "bucket": bucket, "objects": objects })).await;
    }

    /// Everything that is in a bucket and in queues, by the names of those.
    pub async fn take_stored(&self, bucket: &str, queues: &[&str]) -> Stored {
        let answer = self.put("stored", &json!({ "bucket": bucket, "queues": queues })).await;
        serde_json::from_value(answer).unwrap()
    }

    /// Puts what was in another account's bucket and queues into these, which makes no events.
    pub async fn put_stored(&self, bucket: &str, queues: &[&str], stored: &Stored) {
        self.put("stored", &json!({ "bucket": bucket, "queues": queues, "stored": stored })).await;
    }

    /// The environment variables of a program that works with the keys of one of the account's roles.
    pub async fn variables_as(&self, role: &str) -> BTreeMap<String, String> {
        let arn = format!("arn:aws:iam::{}:role/{role}", self.account);
        let keys = self.assume(&arn, "desk").await;
        let mut variables = self.variables();
        variables.extend(
            [
                ("AWS_ACCESS_KEY_ID", keys.id),
                ("AWS_SECRET_ACCESS_KEY", keys.secret),
                ("AWS_SESSION_TOKEN", keys.token),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        variables
    }

    async fn put(&self, route: &str, wish: &Value) -> Value {
        let put = http::client().put(self.own_route(route)).json(wish);
        put.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    fn own_route(&self, name: &str) -> String {
        format!("{}/_tests/{name}/{}", self.endpoint(), self.account)
    }

    fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{REGION}:{}:{name}", self.account)
    }
}
