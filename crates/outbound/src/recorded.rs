//! The recorded answers in `tests/answers`, for the tests. The README beside them describes each field.

use std::path::Path;

use pipeline::{Code, destination::Verdict};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A file in one of the folders.
pub(crate) struct Recorded<T> {
    /// Which it is, and where it can be looked up.
    pub(crate) name: String,
    /// The fields that the files in this folder have.
    pub(crate) answer: T,
    /// The verdict it has to get.
    pub(crate) verdict: Expected,
}

/// The part of a verdict that is compared.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Expected {
    Sent,
    PartlySent,
    Wait {
        code: Code,
    },
    Again {
        code: Code,
        may_have_arrived: bool,
    },
    Refused {
        code: Code,
        #[serde(default)]
        payload: bool,
    },
}

impl From<&Verdict> for Expected {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Sent => Self::Sent,
            Verdict::PartlySent { .. } => Self::PartlySent,
            Verdict::Wait { code, .. } => Self::Wait { code: *code },
            Verdict::Retry { code, may_have_arrived, .. } => {
                Self::Again { code: *code, may_have_arrived: *may_have_arrived }
            }
            Verdict::Refused { code, payload, .. } => Self::Refused { code: *code, payload: *payload },
        }
    }
}

/// What all files have in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    source: String,
    #[serde(default)]
    made: bool,
    verdict: Expected,
}

/// All files in the folder `of`, at least `sourced` of which have a source. An unknown field is an error.
pub(crate) fn all<T: DeserializeOwned>(of: &str, sourced: usize) -> Vec<Recorded<T>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/answers").join(of);
    let (mut with_source, mut all) = (0, Vec::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut fields: Map<String, Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let common = ["source", "made", "verdict"];
        let common = common.iter().filter_map(|field| fields.remove_entry(*field)).collect();
        let Common { source, made, verdict } =
            serde_json::from_value(Value::Object(common)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer =
            serde_json::from_value(Value::Object(fields)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(made || source.contains('#') || source.starts_with("https://"), "{name}: {source}");
        with_source += usize::from(!made);
        all.push(Recorded { name: format!("{name} ({source})"), answer, verdict });
    }
    assert!(with_source >= sourced, "{with_source} with a source");
    all
}
