//! Types that hold a secret cannot show it.

use std::fmt::{Debug, Display};

use close::signature::Keys;
use console::config::{Config, UpConfig};
use outbound::{OwnersBase, SecretUrl, SmtpSettings};
use pipeline::{SecretText, ingest::Trust};
use serde::Serialize;

/// Does not compile where the type has the trait: then two functions of this name would fit.
macro_rules! has_no {
    ($trait:ident: $($type:ty),+) => {$(
        const _: fn() = || {
            trait Either<Which> {
                fn either() {}
            }
            impl<T: ?Sized> Either<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Either<Has> for T {}
            let _ = <$type as Either<_>>::either;
        };
    )+};
}

has_no!(Serialize: Keys, SecretUrl, SmtpSettings, SecretText, OwnersBase, Trust, Config, UpConfig);
has_no!(Display: Keys, SecretText, Trust, Config, UpConfig);
has_no!(Debug: UpConfig);

const SECRET: &str = "hunter2";
const KEY: &str = "3818dc66e3351965af2f488bb224b4f95a6c3d3200263a84c219818c21d82a18";

#[test]
fn what_can_be_printed_shows_nothing() {
    let keys = Keys::parse(KEY).unwrap();
    let url = SecretUrl::parse("https://hooks.slack.com/services/T0/B0/hunter2").unwrap();
    let owners = OwnersBase::parse("https://reader:hunter2@owners.example.com").unwrap();
    let mail = SmtpSettings::parse("smtps://user:hunter2@mail.example.com", "a@example.com", "b@example.com")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "").unwrap();
    let config = Config::load(|name| match name {
        "LEADOPS_CONFIG" => Some(file.display().to_string()),
        "CLOSE_SIGNATURE_KEY" => Some(KEY.to_owned()),
        "SLACK_WEBHOOK_URL" => Some("https://hooks.slack.com/services/T0/B0/hunter2".to_owned()),
        "SMTP_URL" => Some("smtps://user:hunter2@mail.example.com".to_owned()),
        "LOOKUP_BASE_URL" => Some("https://reader:hunter2@owners.example.com".to_owned()),
        _ => None,
    })
    .unwrap();
    let shown = serde_json::to_string(&config.shown()).unwrap();
    for printed in [
        format!("{keys:?}"),
        format!("{:?}", Trust::Signed(keys.clone())),
        format!("{url:?} {url}"),
        format!("{owners:?} {owners}"),
        format!("{mail:?} {mail}"),
        format!("{config:?}"),
        shown,
    ] {
        assert!(!printed.contains(SECRET) && !printed.contains("3818dc66"), "{printed}");
    }
}
