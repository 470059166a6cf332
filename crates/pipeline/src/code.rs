//! The codes of everything that can go wrong.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How it stands with the work over which something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryState {
    /// The caller was answered with the failure.
    Reported,
    /// It is tried again by itself.
    Retrying,
    /// It is a dead letter: nothing more happens by itself.
    Dead,
}

/// The first of several literals.
macro_rules! first {
    ($first:literal $(, $more:literal)*) => {
        $first
    };
}

/// Each code's name, text, cause and remedy; and, where they are not the same, what to do while it is tried
/// `again`, and when it is `dead`.
macro_rules! codes {
    ($(
        $(#[$doc:meta])* $name:ident = $text:literal, $cause:literal, $remedy:literal
        $(, again $again:literal)? $(, dead $dead:literal)?;
    )*) => {
        /// A kind of failure. Dead letters, logs, the journal, the console and `leadops explain`
        /// show the same code, cause and remedy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "&'static str", from = "std::borrow::Cow<'_, str>")]
        pub enum Code {
            $(#[doc = $cause] $name,)*
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The code as written, such as `LO204`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// Why it happens, one sentence.
            pub fn cause(self) -> &'static str {
                match self { $(Code::$name => $cause,)* }
            }

            /// What to do about it.
            pub fn remedy(self, standing: RetryState) -> &'static str {
                match standing {
                    RetryState::Reported => match self { $(Code::$name => $remedy,)* },
                    RetryState::Retrying => match self { $(Code::$name => first!($($again,)? $remedy),)* },
                    RetryState::Dead => match self { $(Code::$name => first!($($dead,)? $remedy),)* },
                }
            }
        }
    };
}

codes! {
    SignatureMissing = "LO101",
        "The request has no usable close-sig-hash and close-sig-timestamp headers.",
        "Only Close should call this address; if it was Close, check that no proxy drops the two headers.";
    SignatureWrong = "LO102",
        "The signature matches none of the configured keys.",
        "Run `leadops subscribe` for the webhook's address: it stores the key that Close signs with where Close shows it, says what else to do where not, and sets a paused subscription active again. Then restart `leadops up`; the functions on AWS read the key by themselves.";
    SignatureStale = "LO103",
        "The signature is genuine, but its timestamp is outside the freshness window.",
        "Check this machine's clock. Where Close delivers later than the window allows, widen SIGNATURE_MAX_AGE_SECONDS and restart.";
    EventMalformed = "LO104",
        "The body is not a Close event.",
        "Look at the sender: Close sends a JSON object with an event object in it.";
    LeadIdUnusable = "LO105",
        "The event names no lead, or one whose id is not lead_ and 1 to 64 letters or digits, or is that of trials.",
        "Look at the sender: Close's ids all have this form. Another could point to a place outside its folder, so the event is refused.";
    BodyTooLarge = "LO106",
        "The body is larger than 1 MiB.",
        "Look at the sender: Close's events are a few kilobytes.";
    NotStored = "LO107",
        "The event could not be made durable, so it was not accepted.",
        "Nothing is lost: Close sends it again for three days. Fix the storage; the log line of the refusal says what failed, with a code of its own.";
    ListenerFull = "LO108",
        "As many connections are open as the listener or the system allows.",
        "Close is served all the same: to make room, the oldest connection that has sent no new lead is closed, or else the one that has been idle for longest. Have the proxy in front limit how many connections each client may open.";
    NotTheWebhook = "LO109",
        "The request is not a POST to the webhook's address, whose path is /crm/webhook.",
        "Where its message speaks of a signed webhook or of Close's signature headers, correct the path that the subscription in Close names, or that the proxy in front passes on, and have nothing on the way redirect. Anything else is somebody else's, and nothing has to be done.";
    NotHttp = "LO110",
        "What came is not an HTTP/1.1 request that can be read: another protocol, a head of more than 16 KiB, or a body that broke off or did not come in time.",
        "Have the proxy in front speak plain HTTP/1.1 to this port: no TLS, no HTTP/2, no PROXY protocol. Where there is none, it was somebody else, and nothing has to be done.";

    JobUnreadable = "LO111",
        "A message in the delay queue is not a job.",
        "Look at its body with `leadops dead show ID`; edit and redrive it, or delete it (a copy is stored).";
    RawEventGone = "LO112",
        "The raw event that the message points to does not exist.",
        "Send the event once more with `leadops send FILE`: it is stored and the lead processed; then delete the dead letter (a copy is stored). Where nobody has the event, delete the dead letter.";
    RawEventUnreadable = "LO113",
        "The raw event is not a lead.created event of Close's.",
        "Look at the stored event: replace it with the right one and redrive, or delete the dead letter (a copy is stored).";
    RawEventMismatch = "LO114",
        "The raw event is about another lead than its key says.",
        "Somebody wrote under the source prefix by hand, or edited the message: replace the stored event with the lead's own and redrive, or delete the dead letter (a copy is stored).";

    SignatureOfAnother = "LO115",
        "The signature holds, by a key that is configured for another subscription than the event names.",
        "Correct the id in front of the key (whsub_…=) or leave it out, and restart; `leadops subscribe` writes it as it is in Close.";

    OwnerMissing = "LO121",
        "No owner is assigned to the lead yet.",
        "Nothing to do: the alert goes out without an owner, and a follow-up comes when one is assigned within some 33 hours. Later, `leadops requeue LEAD_ID` looks again.";
    OwnerLookupFailed = "LO122",
        "The owner directory could not be reached, or answered with an error.",
        "Nothing is lost: the alert goes out without an owner, who is looked up again by itself. Check LOOKUP_BASE_URL and the directory's health.",
        again "Nothing to do: the owner is looked up again by itself, and after the last attempt the alert goes out without one. If it persists, check LOOKUP_BASE_URL and the directory's health.";
    OwnerBroken = "LO123",
        "The owner document is not a JSON object, or not one in which the owner can be read.",
        "Fix the document; the lead is looked up again by itself, or at once with `leadops requeue LEAD_ID`.",
        again "Fix the document; the owner is looked up again by itself.";
    OwnerMismatch = "LO124",
        "The owner document is about another lead.",
        "Fix the document; the lead is looked up again by itself, or at once with `leadops requeue LEAD_ID`.";
    OwnerDirectoryGone = "LO125",
        "The owner directory does not exist (NoSuchBucket).",
        "Correct LOOKUP_BUCKET or LOOKUP_BASE_URL and restart (on AWS, deploy): until then no lead gets an owner.";

    OwnerDeparted = "LO126",
        "The lead's owner in Close is no longer a member of the organisation.",
        "Assign the lead to somebody else in Close. A follow-up says who, at the next look-up or at once with `leadops requeue LEAD_ID`.";
    OwnerUnknown = "LO127",
        "The lead's owner field in Close names somebody who is not among the organisation's members.",
        "Look at the lead's owner field in Close: a name in a text field has to be a member's full name or e-mail address. The lead is looked up again by itself, or at once with `leadops requeue LEAD_ID`.";
    OwnerAmbiguous = "LO128",
        "The lead's owner field in Close names several members.",
        "Have the field hold an e-mail address, or make it a field of type user. The lead is looked up again by itself, or at once with `leadops requeue LEAD_ID`.";

    OwnersNeverFound = "LO129",
        "The last look-ups, at least twenty and for at least three hours, found no owner, and none did within a day.",
        "Where nobody was assigned in all that time, there is nothing to do. Else ask by hand for a lead that has an owner: `leadops doctor` says where owners are looked up. Correct LOOKUP_BASE_URL, LOOKUP_BUCKET or OWNER_SOURCE, or with owners in Close CLOSE_OWNER_FIELD, and restart; then `leadops requeue LEAD_ID`.";

    CloseKeyRefused = "LO131",
        "Close refuses the API key that owners are looked up with.",
        "Nothing is lost: alerts go out without an owner. Make a new key in Close under Settings, Developer, API Keys. Put it into CLOSE_API_KEY and restart, or into the stack's secret, which is read again by itself.";
    CloseForbidden = "LO132",
        "Close does not let the API key's user read this, or its plan does not have it.",
        "Nothing is lost: alerts go out without an owner. Give the key's user a role that sees all leads; `leadops doctor` says which it has. For 402, see what the plan in Close includes.";
    CloseLeadHidden = "LO133",
        "Close does not show the lead to the API key: it was deleted or merged, or the key's user may not see it.",
        "Look for the lead in Close. Where it is there, give the key's user a role that sees all leads; `leadops doctor` says which it has.";
    CloseUnavailable = "LO134",
        "Close could not be asked for the owner, or what answered was not its API.",
        "Nothing is lost: the alert goes out without an owner, who is looked up again by itself. If it persists, check the network, CLOSE_API_URL and https://status.close.com.",
        again "Nothing to do: the owner is looked up again by itself, and after the last attempt the alert goes out without one. If it persists, check the network and https://status.close.com.";
    CloseBusy = "LO135",
        "Close asks to slow down.",
        "Nothing is lost: the alert goes out without an owner, who is looked up again by itself. If it persists, see what else uses the organisation's rate limit in Close.",
        again "Nothing to do: the owner is looked up as soon as Close allows.";
    CloseFieldUnknown = "LO136",
        "CLOSE_OWNER_FIELD is not set, or names no custom field of leads in Close, or several.",
        "Set it to the field's id (cf_…) and restart: `leadops doctor` lists the fields that could be meant.";

    OwnersIntercepted = "LO137",
        "Somebody between this machine and the owner directory answered in its place: a firewall, a proxy or a page to sign in.",
        "Nothing is lost: the alert goes out without an owner, who is looked up again by itself. Let this machine through to the directory, check HTTPS_PROXY and NO_PROXY, and whether LOOKUP_BASE_URL wants a user and password.",
        again "Nothing to do at once: the owner is looked up again by itself. If it persists, let this machine through to the directory, and check HTTPS_PROXY, NO_PROXY and LOOKUP_BASE_URL.";
    OwnersInOtherRegion = "LO138",
        "The bucket with the owner documents is in another region of AWS than the address that is asked.",
        "Set LOOKUP_BASE_URL to the bucket's address in its region and restart (on AWS, deploy): until then no lead gets an owner.";
    OwnersRedirected = "LO139",
        "The owner directory redirects to another host, which is not asked: what stands there is not the directory's word.",
        "Nothing is lost: the alert goes out without an owner, who is looked up again by itself. Where the documents have moved, set LOOKUP_BASE_URL to the address where they are, and restart.",
        again "Nothing to do at once: the owner is looked up again by itself. Where the documents have moved, set LOOKUP_BASE_URL to the address where they are, and restart.";

    SlackRateLimited = "LO201",
        "Slack asks to wait (429).",
        "Nothing to do: leadops waits for as long as Slack asks, and then sends the alert.";
    SlackUnavailable = "LO202",
        "Slack could not be reached or answered with a server error.",
        "Check https://slack-status.com and this machine's network.",
        again "It is tried again by itself, with growing pauses. If it persists, check https://slack-status.com and this machine's network.",
        dead "Check https://slack-status.com and this machine's network; then redrive.";
    SlackUnknown = "LO203",
        "Slack gave no answer in time, or one that leadops does not understand: the alert may have been posted.",
        "Check whether the alert is in the channel.",
        again "It is sent again by itself, labelled as a possible repeat.",
        dead "Check whether the alert is in the channel: if it is, delete the dead letter (a copy is stored); if it is not, redrive, which sends it again, labelled as a possible repeat.";
    SlackWebhookGone = "LO204",
        "Slack says that the incoming webhook no longer exists.",
        "Create a new incoming webhook in Slack, put its URL into SLACK_WEBHOOK_URL and restart `leadops up` (on AWS put it into the secret, without a restart), then redrive.";
    SlackPayloadRefused = "LO205",
        "Slack refuses the message itself.",
        "Read Slack's answer with `leadops dead show ID`. If it is another program that takes the alerts in Slack's place, correct it and redrive; if it is Slack, report it as a bug.",
        again "Nothing to do: the leads of the refused digest are sent again one by one.";
    SlackForbidden = "LO206",
        "Slack forbids posting with this webhook.",
        "Ask a Slack administrator to allow the app, then redrive. If you get a new webhook instead, put its URL into SLACK_WEBHOOK_URL and restart `leadops up` (on AWS put it into the secret) before you redrive.";
    SlackChannelClosed = "LO207",
        "The Slack channel is archived or its workspace is disabled.",
        "Unarchive the channel, then redrive. Or make a webhook for another channel, put its URL into SLACK_WEBHOOK_URL and restart `leadops up` (on AWS put it into the secret), then redrive.";
    SlackNotConfigured = "LO208",
        "An alert is due on Slack, but no webhook URL is configured.",
        "Set SLACK_WEBHOOK_URL, restart `leadops up`, then redrive; or switch Slack off with USE_SLACK=false, restart, and delete the dead letters (copies are stored).";
    SlackAddressWrong = "LO209",
        "SLACK_WEBHOOK_URL (or its secret) does not name an incoming webhook: the address points elsewhere.",
        "Put the incoming webhook's own URL, https://hooks.slack.com/services/…, into SLACK_WEBHOOK_URL and restart `leadops up` (on AWS put it into the secret), then redrive. For anything else that takes leads, set up a signed webhook: USE_WEBHOOK.";
    SlackIntercepted = "LO210",
        "Something between this machine and Slack answered in its place: a firewall, a proxy or a sign-in page.",
        "Let this machine through to hooks.slack.com; check HTTPS_PROXY and NO_PROXY.",
        again "It is tried again by itself, with growing pauses. If it persists, let this machine through to hooks.slack.com, and check HTTPS_PROXY and NO_PROXY.",
        dead "Let this machine through to hooks.slack.com, and check HTTPS_PROXY and NO_PROXY; then redrive.";
    AlertUnreadable = "LO211",
        "A message in the notification queue is not an alert.",
        "Look at its body with `leadops dead show ID`; edit and redrive it, or delete it (a copy is stored).";
    EnrichedLeadGone = "LO212",
        "The enriched lead that the alert is about does not exist or cannot be read.",
        "Process the lead again with `leadops requeue LEAD_ID`; when its alert has been sent, delete the dead letter (a copy is stored).";
    ReceiptUnreadable = "LO213",
        "The receipt of the alert cannot be read, so it is not known whether the alert was sent: it is damaged, or was written by a later version of leadops.",
        "Check whether the destination has the alert. If not, send it with `leadops resend LEAD_ID`, which makes a receipt of its own. Then delete the dead letter (a copy is stored).";
    MailRefused = "LO221",
        "The mail server refuses the message for good.",
        "Correct EMAIL_FROM or EMAIL_TO by the server's words in the reason and restart `leadops up`, then redrive.";
    MailUnavailable = "LO222",
        "The mail server could not be reached, does not serve this machine, or asks to try later.",
        "Check the server that SMTP_URL names.",
        again "It is tried again by itself, with growing pauses. If it persists, check the server that SMTP_URL names.",
        dead "Check the server that SMTP_URL names, and restart `leadops up` if you change it; then redrive.";
    MailUnknown = "LO223",
        "The mail server did not confirm in time: the mail may have been sent.",
        "Check whether the mail has arrived.",
        again "It is sent again by itself, labelled as a possible repeat.",
        dead "Check whether the mail has arrived: if it has, delete the dead letter (a copy is stored); if it has not, redrive, which sends it again, labelled as a possible repeat.";
    MailLoginRefused = "LO224",
        "The mail server refuses the login, or wants one first.",
        "Check user and password in SMTP_URL, which are percent-encoded there, and its TLS: many servers accept a login only over smtps:// or with ?tls=required.",
        dead "Check user and password in SMTP_URL, which are percent-encoded there, and its TLS: many servers accept a login only over smtps:// or with ?tls=required. Restart `leadops up`, then redrive.";
    MailUnencrypted = "LO225",
        "There is no encrypted connection to the mail server.",
        "Check SMTP_URL: smtps:// is TLS from the start, usually on port 465, and smtp://…?tls=required is STARTTLS on port 587. If the server's certificate is from an authority of your own, SSL_CERT_FILE names a file with it.",
        again "It is tried again by itself. Check SMTP_URL: smtps:// is TLS from the start, usually on port 465, and smtp://…?tls=required is STARTTLS on port 587. If the server's certificate is from an authority of your own, SSL_CERT_FILE names a file with it.",
        dead "Check SMTP_URL: smtps:// is TLS from the start, usually on port 465, and smtp://…?tls=required is STARTTLS on port 587. If the server's certificate is from an authority of your own, SSL_CERT_FILE names a file with it. Restart `leadops up`, then redrive.";
    MailNotConfigured = "LO228",
        "An alert is due by e-mail, but no mail server is configured.",
        "Set SMTP_URL, EMAIL_FROM and EMAIL_TO, restart `leadops up`, then redrive; or switch e-mail off with USE_EMAIL=false, restart, and delete the dead letters (copies are stored).";
    MailUnconfirmed = "LO229",
        "No address has confirmed its subscription to the SNS topic, one has not confirmed it yet, or none is subscribed.",
        "Have the owner of the address confirm the mail that SNS has sent, within two days, or subscribe one with `aws sns subscribe --protocol email`.",
        again "It is tried again by itself, with growing pauses. Have the owner of the address confirm the mail that SNS has sent, or subscribe one with `aws sns subscribe --protocol email`.",
        dead "Have the owner of the address confirm the mail that SNS has sent, or subscribe one with `aws sns subscribe --protocol email`, then redrive.";
    DestinationNotConfigured = "LO230",
        "An alert is due at a destination that this pipeline does not have.",
        "Set the destination up and restart `leadops up`, then redrive; or delete the dead letter (a copy is stored).";
    DestinationRefused = "LO231",
        "The destination refuses the alert for good.",
        "Check the destination's address and secret against the answer in the reason, correct them and restart `leadops up` (on AWS the secret is read again without a restart), then redrive.";
    DestinationUnavailable = "LO232",
        "The destination could not be reached, answered with a server error, or asks to try later.",
        "Check the network and the destination.",
        again "It is tried again by itself, with growing pauses. If it persists, check the network and the destination.",
        dead "Check the network and the destination, then redrive.";
    DestinationUnknown = "LO233",
        "The destination gave no answer in time, or one that leadops does not understand: the alert may have arrived.",
        "Check whether the destination has the alert.",
        again "It is sent again by itself, labelled as a possible repeat.",
        dead "Check whether the destination has the alert: if it has, delete the dead letter (a copy is stored); if it has not, redrive, which sends it again, labelled as a possible repeat.";
    DestinationBusy = "LO234",
        "The destination asks to slow down.",
        "Nothing to do: it is sent as soon as the destination allows.";
    PartlySent = "LO235",
        "The destination refuses some of an alert's recipients; the others have it.",
        "Check the recipients that are named, in EMAIL_TO for instance, and restart `leadops up` if you change them; `leadops resend LEAD_ID --to email --left-out` sends only to those who have not got it.",
        again "It is sent again by itself to those who were put off, with growing pauses.",
        dead "Correct the recipients that are named, in EMAIL_TO for instance, and restart `leadops up`; then redrive, which sends only to those who have not got it.";

    StorageFull = "LO401",
        "The disk or the database is full.",
        "Make room; the pipeline goes on by itself, without a restart.",
        again "Make room; it is tried again by itself, without a restart.",
        dead "Make room, then redrive.";
    StorageReadOnly = "LO402",
        "The data folder or its file cannot be written.",
        "Make it writable for this user; the pipeline goes on by itself.",
        again "Make it writable for this user; it is tried again by itself.",
        dead "Make it writable for this user, then redrive.";
    StorageFailed = "LO403",
        "The storage failed.",
        "Check the disk and the system log.",
        again "Check the disk and the system log; it is tried again by itself, for a day at least.",
        dead "Check the disk and the system log, then redrive.";
    StorageNewer = "LO404",
        "The file was made by a newer version of leadops.",
        "Use that version, or another folder with --data.";
    StorageDamaged = "LO405",
        "The file is damaged or is no leadops database; nothing in it was changed.",
        "Stop `leadops up`, leave the damaged file where it is, restore a backup into another folder, and start with --data on that folder.";
    Abandoned = "LO406",
        "The message was received as often as allowed without an outcome: its worker stopped or hung each time.",
        "Look at the log lines of that time with `leadops logs --lead LEAD_ID`, then redrive.",
        again "Its queue delivers it again. If it persists, look at the log lines of that time with `leadops logs --lead LEAD_ID`.";
    AlreadyRunning = "LO407",
        "Another `leadops up` already works on this folder.",
        "Stop it, or give this one a folder of its own with --data.";
    NoPipeline = "LO408",
        "There is no pipeline in this folder.",
        "Start one with `leadops up`, or name its folder with --data or LEADOPS_DATA.";

    StorageGone = "LO409",
        "The database, its log (-wal) or its index (-shm) was deleted, moved or replaced while `leadops up` had it open.",
        "Put the very same files back and it goes on by itself. Otherwise restart `leadops up`; where the database is gone, put a backup in its place first, without the old -wal and -shm. What was refused meanwhile, Close sends again for three days.",
        dead "Put the very same files back, or restart `leadops up` on the file that is there; then redrive. `leadops doctor` says whether these are the files that it has open.";

    AwsUnreachable = "LO411",
        "AWS could not be reached.",
        "Check this machine's network and proxy, the region, and --endpoint-url if you use it; then try again.",
        again "It is tried again by itself. If it persists, check the network, the proxy and the region.",
        dead "Check the network, the proxy and the region, then redrive.";
    AwsDenied = "LO412",
        "AWS denies it: the credentials are valid but lack a permission.",
        "Give the role or user the permission that the message names, or use another --profile.",
        again "Give the role the permission that the message names; it is tried again by itself.",
        dead "Give the role the permission that the message names, then redrive.";
    AwsThrottled = "LO413",
        "AWS asks to slow down.",
        "Try again in a moment; if it persists, raise the account's quota.",
        again "Nothing is lost: it is tried again by itself; if it persists, raise the account's quota.",
        dead "Redrive slowly, with --rate 1; if it persists, raise the account's quota.";
    AwsFailed = "LO414",
        "An AWS service failed or refused the request.",
        "Try again; if it persists, see https://health.aws.amazon.com and the message.",
        again "Nothing is lost: it is tried again by itself. If it persists, see https://health.aws.amazon.com and the message.",
        dead "See https://health.aws.amazon.com and the message, then redrive.";
    CredentialsMissing = "LO415",
        "There are no AWS credentials.",
        "Name a profile with --profile or AWS_PROFILE; make one with `aws configure` or `aws configure sso`.";
    CredentialsExpired = "LO416",
        "The AWS credentials have expired or are not valid.",
        "Sign in again (`aws sso login` for single sign-on, new keys otherwise), then repeat the command.";
    StackMissing = "LO417",
        "There is no CloudFormation stack of this name in this account and region.",
        "Check --stack, --region and --profile; list what there is with `aws cloudformation list-stacks`.";
    StackUnusable = "LO418",
        "The CloudFormation stack is not one of leadops's, or is incomplete.",
        "Check the name with `aws cloudformation list-stacks`; only if it is leadops's own stack, deploy it with infrastructure/deploy.";
    ResourceMissing = "LO419",
        "A bucket, queue, secret, topic or log group of the stack does not exist.",
        "Create it again under the same name; a deleted secret comes back with `aws secretsmanager restore-secret`. Deploying the stack does not create it again as long as the template is unchanged.",
        again "Create it again under the same name; a deleted secret comes back with `aws secretsmanager restore-secret`. This is tried again by itself.",
        dead "Create it again under the same name; a deleted secret comes back with `aws secretsmanager restore-secret`. Then redrive.";
    SecretUnusable = "LO420",
        "A secret is empty or does not have the form that it should have.",
        "Put its value in again: infrastructure/README.md says how for each; the functions read it by themselves.",
        again "Put its value in again: infrastructure/README.md says how for each; this is tried again by itself.",
        dead "Put its value in again: infrastructure/README.md says how for each; then redrive.";
    RegionMissing = "LO421",
        "No AWS region is known.",
        "Name one with --region or AWS_REGION, or give the profile one with `aws configure set region REGION`.";

    ReadOnly = "LO501",
        "This environment is read-only.",
        "Leave --read-only out, or remove read_only from the environment in the config file.";
    NoSuchDeadLetter = "LO502",
        "There is no dead letter with this id.",
        "List them with `leadops dead list`; it may have been redriven or deleted meanwhile.";
    NoSuchLead = "LO503",
        "No lead with this id has been accepted.",
        "Check the id: `leadops leads --match TEXT` finds enriched leads by name or id, and `leadops pending` lists those that still wait.";
    NotEnriched = "LO504",
        "The lead is not enriched yet, so there is nothing to send.",
        "Wait until it is due (`leadops pending`), or process it now with `leadops requeue LEAD_ID`.";
    NoReceipt = "LO505",
        "No receipt came in time: the alert is still queued.",
        "`leadops doctor` says whether `leadops up` is running, and whether the destination has asked to wait. The alert is sent as soon as possible; a trial within ten minutes or not at all.";
    EditRefused = "LO506",
        "The edited message cannot be read by its queue, or is about another lead.",
        "Nothing was changed. Edit it again: it has to stay a JSON object about the same lead (its lead_id).";
    NotConfirmed = "LO507",
        "The action was not confirmed.",
        "Run it again with --yes, or with --dry-run to see what it would touch.";
    WebhookRefused = "LO508",
        "The webhook did not take the event, or what answered was not leadops.",
        "Where the answer names a code, see `leadops explain CODE`. Where it is not leadops's own, correct the address or what stands in front of it: Close has to be given the address at which leadops itself answers.";
    WebhookUnreachable = "LO509",
        "The webhook could not be reached.",
        "Check the address, and that something listens there: `leadops up`, or the stack's API.";
    DeliveryFailed = "LO510",
        "The alert could not be sent.",
        "The line of the alert names the code: see `leadops explain CODE`. Fix that, then redrive the alert from `leadops dead list`.",
        again "It is tried again by itself; the log line before this one has the code.",
        dead "Find its code in the log, fix what it says, then redrive.";
    ChecksFailed = "LO511",
        "At least one check of `leadops doctor` failed.",
        "Fix what the lines above say, then run `leadops doctor` again.";
    FileUnusable = "LO512",
        "A file that was named cannot be read or written.",
        "Check its path and its permissions.",
        dead "Check its path and its permissions, restart `leadops up`, then redrive.";
    EditorFailed = "LO513",
        "The editor could not be started, or ended with an error.",
        "Set VISUAL or EDITOR to your editor; nothing was changed.";
    OutputUnwritable = "LO514",
        "The output of the command could not be written.",
        "Make room where its output goes, or send it elsewhere. Nothing that the command did is undone by this: look before you repeat an action.";
    OthersHaveAccess = "LO515",
        "Other users of this machine have access to leads or to keys.",
        "Run the command in the message.";
    OwnerOfFileWrong = "LO516",
        "A file of the pipeline belongs to another user than its folder: a command was run as somebody else, such as root.",
        "Run the command in the message, as root.";
    Interrupted = "LO519",
        "The action was stopped before its end.",
        "Redrive what is left: `leadops dead list` shows it. With --all or --code the same command does that; of single ids, leave out those that are redriven.";
    CloseKeyMissing = "LO521",
        "There is no API key for Close, or what is set as one is not an API key.",
        "Create one in Close under Settings, Developer, API Keys; set it as CLOSE_API_KEY, or name its file as close_api_key_file in the config file.";
    CloseDenied = "LO522",
        "Close refuses the API key, or does not let its user do this.",
        "Check CLOSE_API_KEY; managing webhooks needs a user who may do so in Close.";
    CloseFailed = "LO523",
        "Close's API could not be reached, or something else answered in its place.",
        "Check this machine's network and CLOSE_API_URL, or see https://status.close.com; then run the command again: it is safe to repeat.";
    CloseThrottled = "LO524",
        "Close's API asks to slow down.",
        "Wait some minutes and run the command again: what it has done already is not done twice.";
    SubscriptionKeyUnknown = "LO525",
        "Close does not show a subscription's signature key again, and the pipeline does not have it.",
        "If you still have the key, put it in by hand as whsub_…=KEY; otherwise delete the subscription in Close and run `leadops subscribe` again.";
    SubscriptionMissing = "LO526",
        "Close has no webhook subscription for new leads at this address.",
        "Create it with `leadops subscribe`.";
    SubscriptionUnwell = "LO527",
        "Close has paused the webhook subscription, fails to deliver to it, or leaves new leads out by a filter.",
        "Fix what the error says; `leadops subscribe` sets a paused subscription active again. To remove a filter, PUT the events without it to Close's API, or delete the subscription in Close and run `leadops subscribe`.";
    SignatureKeyForeign = "LO528",
        "The pipeline does not hold the key that Close signs a subscription's webhooks with, so it refuses them.",
        "Run `leadops subscribe` for the address: it stores the key where Close shows it, and says what else to do. Otherwise delete the subscription in Close and run it again.";
    WebhookOutOfReach = "LO529",
        "Close cannot reach the webhook's address, or must not be given it.",
        "Give Close the https:// address at which the internet reaches your proxy, with a certificate that is valid: `leadops subscribe --url https://…`. If you know better, `--force` subscribes all the same.";
    WebhookElsewhere = "LO530",
        "Something other than this leadops answers at the webhook's address.",
        "Have the address lead to leadops without a redirect, or give Close the final one: `leadops subscribe --url https://…`. If you know better, `--force` subscribes all the same.";
    CloseRefuses = "LO531",
        "Close refuses the request itself, or a second subscription for one webhook would be created.",
        "Do what the message asks for and run the command again; unchanged, it is refused again. If it names a subscription, that one is in the way: delete it in Close, or subscribe to its address.";

    NoSuchDestination = "LO532",
        "The pipeline has no destination of this name.",
        "Name one of those that the message lists, or leave --to out: the alert then goes to those that new leads go to.";
    NobodyLeftOut = "LO533",
        "Nobody was left out of the lead's last alert at this destination.",
        "See what became of the alert with `leadops lead LEAD_ID`. If it is a dead letter, redrive it; the same command without --left-out sends to everybody.";
    TrialFailed = "LO534",
        "A trial alert has not arrived.",
        "The line says why, in the destination's words: fix that and try again. `leadops explain CODE` says more about the code in it.";

    SeveralFailed = "LO535",
        "Several items of an action failed, each for its own reason.",
        "The line of each says why, with its code; `leadops explain CODE` says what to do about it.";

    Usage = "LO901",
        "The command line is not understood.",
        "See `leadops --help` or `leadops COMMAND --help`.";
    SignatureKeyBad = "LO902",
        "What is configured as a signature key is not one: a key is 64 hex digits, with nothing or its subscription's id (whsub_…=) in front.",
        "Copy signature_key from Close's answer to POST /api/v1/webhook/ as it is. Or remove the wrong value and run `leadops subscribe`, which stores the key by itself.";
    SignatureKeyMissing = "LO903",
        "No signature key is configured, so no webhook could be trusted.",
        "Subscribe Close with `leadops subscribe`, or set CLOSE_SIGNATURE_KEY; for a try-out on this machine alone, LEADOPS_ALLOW_UNSIGNED=true.";
    AddressUnusable = "LO904",
        "leadops cannot listen on this address.",
        "Choose another with --listen ADDR, or stop the program that uses it.";
    FolderUnusable = "LO905",
        "The data folder cannot be used.",
        "Choose another with --data DIR, or make it writable for this user.";
    SettingBad = "LO906",
        "A setting has a value that it cannot have.",
        "Correct it; `leadops config` shows every setting and where its value came from.",
        again "Correct it; this is tried again by itself.",
        dead "Correct it and restart, then redrive.";
    ConfigFileBad = "LO907",
        "The config file cannot be read.",
        "Correct what the message names in that file. If the file itself cannot be read, check its path (LEADOPS_CONFIG) and its permissions.";
    NoSuchEnvironment = "LO908",
        "The config file has no environment of this name.",
        "See `leadops config` for the names.";
    UnsignedExposed = "LO909",
        "Unsigned webhooks are only allowed on a loopback address, and only from programs on this machine.",
        "Set CLOSE_SIGNATURE_KEY. Without a key, listen on 127.0.0.1, and post application/json to it from this machine, through no proxy and from no page in a browser.";
    TerminalMissing = "LO910",
        "This needs a terminal.",
        "Run it in a terminal, or without the console: `leadops demo --headless --for 60`.";
    BuiltWithoutAws = "LO911",
        "This leadops was built for one machine, without AWS.",
        "Use one that was built with its default features, such as by `cargo install --path crates/console`.";
    OfLaterVersion = "LO912",
        "What is stored has a code that this version of leadops does not know: a later one has written it.",
        "Nothing to do; the later version explains it with `leadops explain CODE`.",
        dead "See `leadops explain CODE` of the later version, with the code in its reason. Fix that, then redrive.";
    SettingUnknown = "LO913",
        "A variable of the environment looks like a setting of leadops but is not one, so it has no effect.",
        "Correct its name (`leadops config` shows every setting), or remove it.";
    Internal = "LO999",
        "A bug in leadops.",
        "Please report it with the message; nothing that was accepted is lost.",
        dead "Please report it with the message, and redrive once it is fixed; nothing that was accepted is lost.";
}

impl Code {
    /// Whether a look-up that came to it says something of one lead's owner, and nothing of the source of owners.
    pub fn is_of_one_owner(self) -> bool {
        use Code::{
            CloseLeadHidden, OwnerAmbiguous, OwnerBroken, OwnerDeparted, OwnerMismatch, OwnerMissing,
            OwnerUnknown,
        };
        matches!(
            self,
            OwnerMissing
                | OwnerBroken
                | OwnerMismatch
                | OwnerDeparted
                | OwnerUnknown
                | OwnerAmbiguous
                | CloseLeadHidden
        )
    }

    /// Whether it is a destination's answer to an alert, or the want of one, and no store's or queue's trouble.
    pub fn is_of_a_destination(self) -> bool {
        self.as_str().starts_with("LO2")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Code {
    /// The code of a dead letter as it is stored, and its reason. One that is not known is one of a later version's
    /// ([`Code::OfLaterVersion`]); the reason then says which.
    pub fn read(code: &str, reason: String) -> (Self, String) {
        match code.parse() {
            Ok(code) => (code, reason),
            Err(_) => (Self::OfLaterVersion, outside::text::shorten(&format!("{code}: {reason}"), 1_000)),
        }
    }
}

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such code: {0:?}")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads `LO204`, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().find(|code| code.as_str().eq_ignore_ascii_case(text.trim()));
        found.copied().ok_or_else(|| UnknownCode(outside::text::shorten(text, 40)))
    }
}

impl From<Code> for &'static str {
    fn from(code: Code) -> Self {
        code.as_str()
    }
}

/// As read from what is stored, where a code that is not known is one of a later version's: who has gone back to
/// this one must not lose what it stands in.
impl From<std::borrow::Cow<'_, str>> for Code {
    fn from(text: std::borrow::Cow<'_, str>) -> Self {
        text.parse().unwrap_or(Self::OfLaterVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_ordered_and_explained_in_one_line() {
        let texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.is_sorted_by(|a, b| a < b), "{texts:?}");
        for code in Code::ALL {
            assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
            let remedies =
                [RetryState::Reported, RetryState::Retrying, RetryState::Dead].map(|it| code.remedy(it));
            for line in [code.cause()].into_iter().chain(remedies) {
                assert!(line.ends_with('.') && !line.contains('\n'), "{code}: {line}");
            }
        }
        assert!("LO000".parse::<Code>().is_err());
        assert_eq!(serde_json::from_str::<Code>("\"LO000\"").unwrap(), Code::OfLaterVersion);
        assert!(serde_json::from_str::<Code>("7").is_err());
    }

    /// What a stage says of work that it tries again, or that died. No dead letter has one of the others.
    fn is_of_a_stage(code: Code) -> bool {
        let text = code.as_str();
        let elsewhere = [Code::StorageNewer, Code::CredentialsMissing, Code::CredentialsExpired];
        (["LO11", "LO2", "LO40", "LO41"].iter().any(|group| text.starts_with(group))
            || [
                Code::SecretUnusable,
                Code::DeliveryFailed,
                Code::FileUnusable,
                Code::SettingBad,
                Code::Internal,
            ]
            .contains(&code))
            && !elsewhere.contains(&code)
    }

    #[test]
    fn what_a_dead_letter_says_promises_nothing_and_what_is_tried_again_asks_for_no_redrive() {
        for code in Code::ALL.iter().copied().filter(|code| is_of_a_stage(*code)) {
            let dead = code.remedy(RetryState::Dead);
            for promise in ["by itself", "by themselves", "tries again", "goes on", "goes out afterwards"] {
                let never_dead = code == Code::SlackRateLimited;
                assert!(never_dead || !dead.contains(promise), "{code}: {dead}");
            }
        }
        for code in Code::ALL {
            let (again, dead) = (code.remedy(RetryState::Retrying), code.remedy(RetryState::Dead));
            if again.contains("again by itself") {
                assert!(again != dead || !is_of_a_stage(*code), "{code}: {again}");
                assert!(!again.contains("redriv"), "{code}: {again}");
            }
        }
    }
}
