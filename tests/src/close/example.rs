//! What the samples are about: one afternoon in a small sales team.

use serde_json::Value;

use super::account::Account;

/// The organisation.
pub const ORGANIZATION: &str = "orga_PKSgUng4vUb2zXsiJCT9kcdhjmqParUFDPUkFhBt1nu";

/// Rowan Testaverde, whose key it is: an admin.
pub const ROWAN: &str = "user_JqithYZtDjtjkaZvhj62vnVJNPeWINKpkjGmtFxVAr2";
/// Tamsin Okafor-Test, a member.
pub const TAMSIN: &str = "user_bVVWtzQdhJbYngmRZ4Xxdl7C9LoQNX3XKrJPBEziMkt";
/// Nadia Exampelova, a member.
pub const NADIA: &str = "user_BPbEB2wzN5XLP6H0rIwbRYhS7sm155MugPDp1owki2n";
/// Ivo Sampleton, who has left.
pub const IVO: &str = "user_thsLES2Ru2DTY2cdXlVwM5myyf0d445IdXt6amZQeV8";

/// "Lead Owner", a field of users.
pub const OWNER_FIELD: &str = "cf_YZ3zQfDSI0uBIoXEkN8pdtkb3dqL2AzKlExZNdI2ZZM";
/// "Account Team", a field of users that holds several.
pub const TEAM_FIELD: &str = "cf_dbJt1RX11y8FDiWyZIYYaFh0jocNGD4Cq2ynjkt4GsZ";
/// "Owner (text)", a field of text with an id of the old kind.
pub const TEXT_FIELD: &str = "lcf_WsZbzLiECNOa3rkiP1OyIHr7q4gJQJ0qihweoDIQPSx";
/// "Funnel", a field of choices.
pub const FUNNEL_FIELD: &str = "cf_mLGb4kWzZlDB5mpWe7iZ24A6pJmoQkL0pIxCjrABYCN";

/// Marlowe Quill, whose owner is Tamsin.
pub const MARLOWE: &str = "lead_YeOvwVn9XDXT4sNWmWZQargtcJoaCKMuFOzIf1cAATp";
/// Quillwork Test GmbH, whose account team are Nadia and Tamsin.
pub const QUILLWORK: &str = "lead_uYE4V0x6OWYD8xxbtE8l8mnrrnLsUcqpqdX6jm2oDmD";
/// Brindle & Sons, with three contacts, whose owner is Ivo.
pub const BRINDLE: &str = "lead_cqd9N0sYUqjJN1xOfzGGOIWBN4BANNvBVLOlQWbixRX";
/// Ferrous Example Ltd, which nobody owns.
pub const FERROUS: &str = "lead_3GpTbPDRdZaYNCRO2waOjR0X7cvn6vPIP95eADZRWe2";
/// Walk-in 0042, whose owner is Rowan, by name.
pub const WALK_IN: &str = "lead_pD5o3uVrt1zh2hDXjF9q2wFtUKGG60W1MbjIXiLVGdD";

/// A sample by its name.
pub fn sample(name: &str) -> Value {
    serde_json::from_slice(&sample_bytes(name)).unwrap()
}

/// A sample by its name, byte by byte.
pub fn sample_bytes(name: &str) -> Vec<u8> {
    let file = format!("{}/samples/close/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

impl Account {
    /// Everything that the samples show.
    pub(super) fn example() -> Self {
        let mut account = Self::default();
        let members = sample("organization_members");
        account.members = members["memberships"].as_array().unwrap().clone();
        account.former_members = members["inactive_memberships"].as_array().unwrap().clone();
        account.fields = sample("custom_field_schema_lead")["fields"].as_array().unwrap().clone();
        let leads = [
            "lead_owner_single",
            "lead_owner_two",
            "lead_contacts_emails_phones",
            "lead_no_owner",
            "lead_owner_as_name_legacy_id",
        ];
        for name in leads {
            let mut lead = sample(name);
            lead["organization_id"] = ORGANIZATION.into();
            account.add(lead);
        }
        account.own(BRINDLE, &[IVO]);
        account
    }
}
