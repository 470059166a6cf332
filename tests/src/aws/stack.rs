//! [`Stack`]: the template's stack in an account of moto's.

use std::{fs, path::Path};

use aws::operator;
use aws_sdk_cloudformation::{
    error::DisplayErrorContext,
    types::{Capability, Parameter},
};

use super::Moto;
use crate::process::KEY;

/// The template, unchanged.
const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infrastructure/cloudformation.yaml");
/// What every stack here is called. Each has an account of its own.
const NAME: &str = "leads";

/// A stack that CloudFormation made from `infrastructure/cloudformation.yaml`, ready for webhooks: Close is
/// subscribed, with the key of the samples.
#[derive(Clone)]
pub struct Stack {
    /// The account that it is in.
    pub moto: Moto,
    /// Its name, for `--stack`.
    pub name: String,
    /// Its outputs and figures, as an operator reads them.
    pub outputs: operator::Stack,
}

impl Stack {
    /// Makes the stack with these parameters, and the template's own where none are given.
    pub async fn deploy(moto: &Moto, parameters: &[(&str, &str)]) -> Self {
        let stack = Self::create(moto, parameters).await;
        stack.put_secret(&stack.outputs.signature_secret, KEY).await;
        stack
    }

    /// The same without Close's key, as CloudFormation leaves it.
    pub async fn create(moto: &Moto, parameters: &[(&str, &str)]) -> Self {
        let template = fs::read_to_string(Path::new(TEMPLATE)).unwrap();
        let client = aws_sdk_cloudformation::Client::new(&moto.config());
        let code = upload(moto).await;
        let parameters = code
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(parameters.iter().copied())
            .map(|(name, value)| Parameter::builder().parameter_key(name).parameter_value(value).build());
        let create = client
            .create_stack()
            .stack_name(NAME)
            .template_body(template)
            .set_parameters(Some(parameters.collect()))
            .capabilities(Capability::CapabilityNamedIam);
        create
            .send()
            .await
            .unwrap_or_else(|error| panic!("the stack is not made: {}", DisplayErrorContext(&error)));
        let outputs = moto.session().await.stack(NAME).await.unwrap();
        Self { moto: moto.clone(), name: NAME.to_owned(), outputs }
    }

    /// Gives a secret a new value, as somebody who rotates it does.
    pub async fn put_secret(&self, secret: &str, value: &str) {
        let put = self.moto.clients().secrets.put_secret_value().secret_id(secret);
        put.secret_string(value).send().await.unwrap();
    }
}

/// Puts the functions' code where the stack looks for it; what runs is what Cargo has built.
async fn upload(moto: &Moto) -> Vec<(&'static str, String)> {
    let bucket = moto.named("code");
    moto.bucket(&bucket).await;
    moto.clients().s3.put_object().bucket(&bucket).key("bootstrap.zip").send().await.unwrap();
    let keys =
        ["WebhookIngestionCodeKey", "LeadProcessorCodeKey", "NotificationCodeKey", "HousekeepingCodeKey"];
    let keys = keys.map(|name| (name, "bootstrap.zip".to_owned()));
    keys.into_iter().chain([("CodeBucket", bucket)]).collect()
}
