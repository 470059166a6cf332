//! What `doctor` asks.

use std::sync::Arc;

use close::client::{ApiKeys, CloseReader};
use pipeline::{
    Code,
    owners::{Examination, examine},
    ports::Clock,
};
use tests::close::{API_KEY, ForcedAnswer, ORGANIZATION, OWNER_FIELD, TEAM_FIELD};

use super::testbed::{OwnersTestbed, under_every_switch};

async fn examined(testbed: &OwnersTestbed) -> Examination {
    let keys = Arc::new(ApiKeys::parse(API_KEY).unwrap());
    let reader = Arc::new(CloseReader::new(testbed.base(), keys).unwrap());
    let clock: Arc<dyn Clock> = testbed.clock.clone();
    examine(reader, clock).await
}

#[tokio::test]
async fn the_key_the_roles_the_fields_and_the_members_are_read_with_four_requests() {
    under_every_switch(async |testbed| {
        let found = examined(testbed).await;
        let account = found.account.unwrap();
        assert_eq!(account.name, "Rowan Testaverde");
        assert_eq!(account.organization_id.as_deref(), Some(ORGANIZATION));
        assert_eq!(account.role_id.as_deref(), Some("admin"));
        assert_eq!(found.roles.unwrap().len(), 3);
        assert_eq!(found.fields.unwrap().len(), 10);
        assert_eq!(found.members.unwrap().counts(), (3, 1));
        let members = format!("GET /organization/{ORGANIZATION}/");
        assert_eq!(
            testbed.requests(),
            ["GET /me/", "GET /role/", "GET /custom_field_schema/lead/", &members]
        );
    })
    .await;
}

#[tokio::test]
async fn a_small_role_is_known_by_what_it_sees() {
    under_every_switch(async |testbed| {
        testbed.close.account().restrict();
        let found = examined(testbed).await;
        let account = found.account.unwrap();
        assert_eq!(
            (account.name.as_str(), account.organization_id.as_deref()),
            ("Tamsin Okafor-Test", Some(ORGANIZATION))
        );
        let roles = found.roles.unwrap();
        let role = roles.iter().find(|role| Some(&role.id) == account.role_id.as_ref()).unwrap();
        assert_eq!((role.sees_all, role.sees_unassigned), (false, false));
        let fields: Vec<_> = role.owner_fields.iter().map(|field| field.as_str()).collect();
        assert_eq!(fields, [OWNER_FIELD, TEAM_FIELD]);
    })
    .await;
}

#[tokio::test]
async fn what_fails_keeps_nothing_else_back() {
    under_every_switch(async |testbed| {
        for (path, forced, code) in [
            ("/role/", ForcedAnswer::Status(403), Code::CloseForbidden),
            ("/custom_field_schema/", ForcedAnswer::Maintenance, Code::CloseUnavailable),
            ("/organization/", ForcedAnswer::Status(402), Code::CloseForbidden),
        ] {
            testbed.close.account().next(1, path, forced);
            let found = examined(testbed).await;
            assert!(found.account.is_ok());
            let failed = [found.roles.err(), found.fields.err(), found.members.err()];
            let failed: Vec<_> = failed.into_iter().flatten().map(|fault| fault.code).collect();
            assert_eq!(failed, [code], "{path}");
        }
        testbed.close.account().keys.clear();
        let found = examined(testbed).await;
        assert_eq!(found.account.unwrap_err().code, Code::CloseKeyRefused);
        assert_eq!(found.members.unwrap_err().code, Code::CloseKeyRefused);
    })
    .await;
}
