//! The source of owners that the settings choose.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use close::FieldSetting;
use outside::text;
use pipeline::{
    Code, Fault, Variables,
    owners::{CloseOwners, Documents, OwnerFields},
    ports::{Clock, Objects, Owners},
};

use crate::{HttpOwners, OwnersBase};
use close::client::{ApiKeys, CloseBase, CloseReader, KeySource};

/// Where owners are looked up, `OWNER_SOURCE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerSource {
    /// One document per lead, in a public bucket or at another address.
    Bucket(OwnersBase),
    /// Close itself.
    Close(CloseBase, OwnerFields),
}

impl OwnerSource {
    /// Reads `OWNER_SOURCE` and what belongs to it: `LOOKUP_BASE_URL` and `LOOKUP_BUCKET`, or `CLOSE_API_URL`,
    /// `CLOSE_OWNER_FIELD` and `CLOSE_FUNNEL_FIELD`.
    ///
    /// # Errors
    /// [`Code::SettingBad`], naming the variable.
    pub fn of_variables(variables: &Variables<'_>) -> Result<Self, Fault> {
        let source = variables.get("OWNER_SOURCE").unwrap_or_else(|| "bucket".to_owned());
        match source.to_ascii_lowercase().as_str() {
            "bucket" => OwnersBase::of_variables(variables)
                .map(Self::Bucket)
                .map_err(|what| Fault::new(Code::SettingBad, what)),
            "close" => {
                let field = |name: &str| variables.get(name).as_deref().and_then(FieldSetting::parse);
                let fields =
                    OwnerFields { owner: field("CLOSE_OWNER_FIELD"), funnel: field("CLOSE_FUNNEL_FIELD") };
                Ok(Self::Close(
                    CloseBase::parse(variables.get("CLOSE_API_URL").as_deref().unwrap_or(CloseBase::URL))?,
                    fields,
                ))
            }
            _ => {
                let what =
                    format!("OWNER_SOURCE is {:?}: expected bucket or close", text::shorten(&source, 60));
                Err(Fault::new(Code::SettingBad, what))
            }
        }
    }

    /// Where owners are looked up, as a line for people, without a password.
    pub fn place(&self) -> String {
        match self {
            Self::Bucket(base) if base.is_default() => format!(
                "owners are looked up at {}, the default: set LOOKUP_BASE_URL, LOOKUP_BUCKET or OWNER_SOURCE where \
                 they are elsewhere",
                base.template()
            ),
            Self::Bucket(base) => format!("owners are looked up at {}", base.template()),
            Self::Close(base, _) => format!("owners are looked up in Close, {base}"),
        }
    }

    /// Opens the source. What all leads in Close share is stored in `objects`; a look-up waits for its turn to ask Close
    /// for at most `patience`.
    ///
    /// # Errors
    /// [`Code::SettingBad`] where a client cannot be made.
    pub fn open(
        self,
        keys: Arc<dyn KeySource>,
        objects: Arc<dyn Objects>,
        clock: Arc<dyn Clock>,
        patience: Duration,
    ) -> Result<Arc<dyn Owners>, Fault> {
        let bad = |what: String| Fault::new(Code::SettingBad, what);
        Ok(match self {
            Self::Bucket(base) => {
                Arc::new(Documents { directory: Arc::new(HttpOwners::new(base).map_err(bad)?), clock })
            }
            Self::Close(base, fields) => {
                let api = Arc::new(CloseReader::new(base, keys).map_err(bad)?);
                Arc::new(CloseOwners::new(api, objects, clock, fields, patience))
            }
        })
    }
}

/// No keys: for a source that needs none, or has been given none.
#[derive(Debug, Clone, Copy)]
pub struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<ApiKeys, close::Error> {
        Err(close::Error::Key("CLOSE_API_KEY is not set".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(set: &[(&str, &str)]) -> Result<OwnerSource, Fault> {
        let set: Vec<(String, String)> =
            set.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        OwnerSource::of_variables(&Variables::new(move |name| {
            set.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        }))
    }

    #[test]
    fn the_bucket_is_the_source_unless_close_is_named() {
        let bucket = OwnersBase::of_bucket(OwnersBase::BUCKET).unwrap();
        assert_eq!(source(&[]), Ok(OwnerSource::Bucket(bucket.clone())));
        assert_eq!(
            source(&[("OWNER_SOURCE", "Bucket"), ("CLOSE_OWNER_FIELD", "x")]),
            Ok(OwnerSource::Bucket(bucket))
        );
        let fields = [
            ("OWNER_SOURCE", " close "),
            ("CLOSE_OWNER_FIELD", "custom.cf_1"),
            ("CLOSE_FUNNEL_FIELD", "Funnel"),
        ];
        let Ok(OwnerSource::Close(base, fields)) = source(&fields) else { panic!() };
        assert_eq!(base.to_string(), CloseBase::URL);
        assert_eq!(fields.owner.unwrap().to_string(), "cf_1");
        assert_eq!(fields.funnel, Some(FieldSetting::Name("Funnel".to_owned())));
    }

    #[test]
    fn the_place_is_named_without_a_password_and_the_default_as_such() {
        let place = |set: &[(&str, &str)]| source(set).unwrap().place();
        let default = "owners are looked up at https://dea-lead-owner.s3.us-east-1.amazonaws.com/{lead_id}.json, the default: set LOOKUP_BASE_URL, LOOKUP_BUCKET or OWNER_SOURCE where they are elsewhere";
        assert_eq!(place(&[]), default);
        assert_eq!(place(&[("LOOKUP_BUCKET", "dea-lead-owner")]), default);
        for (set, expected) in [
            (("LOOKUP_BUCKET", "owners"), "at https://owners.s3.us-east-1.amazonaws.com/{lead_id}.json"),
            (("LOOKUP_BASE_URL", "https://u:hunter2@h/a/"), "at https://h/a/{lead_id}.json"),
            (("LOOKUP_BASE_URL", "https://u:hunter2@h/{lead_id}"), "at https://h/{lead_id}"),
            (("LOOKUP_BASE_URL", "file:///srv/owners"), "at file:///srv/owners/{lead_id}.json"),
            (("OWNER_SOURCE", "close"), "in Close, https://api.close.com/api/v1"),
        ] {
            assert_eq!(place(&[set]), format!("owners are looked up {expected}"));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_name() {
        for (set, part) in [
            (&[("OWNER_SOURCE", "hubspot")][..], "OWNER_SOURCE"),
            (&[("OWNER_SOURCE", "close"), ("CLOSE_API_URL", "http://api.close.com/api/v1")], "CLOSE_API_URL"),
            (&[("LOOKUP_BUCKET", "A")], "LOOKUP_BUCKET"),
        ] {
            let fault = source(set).unwrap_err();
            assert!(fault.code == Code::SettingBad && fault.what.contains(part), "{fault}");
        }
    }
}
