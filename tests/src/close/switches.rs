//! What nobody has seen Close answer, as switches.
//!
//! The documentation is silent in places, and no recorded answer fills the gap. There each answer that Close may
//! give is a position of a switch, and what asks Close has to do right in all of them.

use std::fmt;

/// Declares the switches, each with the likeliest answer first.
macro_rules! switches {
    ($(
        $(#[$about:meta])*
        $switch:ident: $Answers:ident {
            $(#[$likeliest_about:meta])* $likeliest:ident,
            $($(#[$other_about:meta])* $other:ident,)+
        }
    )+) => {
        $(
            $(#[$about])*
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
            pub enum $Answers {
                $(#[$likeliest_about])*
                #[default]
                $likeliest,
                $($(#[$other_about])* $other,)+
            }
        )+

        /// An answer to each question that is open. By default each is the likeliest.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Switches {
            $($(#[$about])* pub $switch: $Answers,)+
        }

        impl Switches {
            /// The likeliest answers, and then each single deviation from them.
            pub fn each() -> Vec<Self> {
                let likeliest = Self::default();
                let mut each = vec![likeliest];
                $(each.extend([$($Answers::$other),+].map(|answer| Self { $switch: answer, ..likeliest }));)+
                each
            }
        }

        /// The deviations from the likeliest answers.
        impl fmt::Display for Switches {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut deviations: Vec<String> = Vec::new();
                $(if self.$switch != $Answers::default() {
                    deviations.push(format!("{}: {:?}", stringify!($switch), self.$switch));
                })+
                match deviations.is_empty() {
                    true => f.write_str("the likeliest answers"),
                    false => f.write_str(&deviations.join(", ")),
                }
            }
        }
    };
}

switches! {
    /// What is answered for a lead that was deleted, merged into another or is another organisation's:
    /// <https://developer.close.com/resources/leads/> says nothing of it.
    gone: Gone {
        /// 404, with a text, as was recorded for an id that never was.
        NotFound,
        /// 404, with the list of errors that a 400 has, as was recorded for a merge.
        NotFoundInList,
        /// 401.
        Unauthorized,
        /// 403.
        Forbidden,
        /// 301, to somewhere else.
        Moved,
    }

    /// What is answered for what the role of the key's user may not see, a lead or anything else:
    /// <https://developer.close.com/resources/roles/> has no status for it.
    denied: Denied {
        /// 401, as the framework does that Close has published.
        Unauthorized,
        /// 403.
        Forbidden,
        /// 404 for a lead, as if it were not there, and 403 for anything else.
        NotFound,
    }

    /// The body of 402, 403 and 405: <https://developer.close.com/topics/http-response-codes/> lists the statuses
    /// alone.
    refusal: Refusal {
        /// JSON with an `error`.
        Json,
        /// A word.
        Text,
        /// A page.
        Page,
        /// None.
        Empty,
    }

    /// The body of the 401 for a key that was revoked, or whose user was deactivated.
    dead_key: DeadKey {
        /// The long text that was recorded for a wrong key.
        Explained,
        /// The word that the framework has for all 401s.
        Bare,
        /// None.
        Empty,
    }

    /// Whether the webhook of a new lead has the owner whom a form sets in a second request:
    /// <https://developer.close.com/api/resources/event-log> folds events that are close together, of which kinds it
    /// does not say.
    second_request: SecondRequest {
        /// It has the lead as it was created.
        Missed,
        /// It has the lead as it is when it is sent.
        Carried,
    }

    /// How the values of a field of users are answered, as fields can be made single or multiple at any time:
    /// <https://developer.close.com/resources/custom-fields/>.
    users: Users {
        /// As they were set: one as a text, several as a list in the order of their entry.
        AsSet,
        /// As a list, also of one.
        Lists,
        /// The first alone.
        First,
        /// As they were set, the last first.
        Reversed,
    }

    /// How somebody is listed who was invited and has not accepted yet:
    /// <https://developer.close.com/resources/organizations/>.
    invited: Invited {
        /// With an empty name.
        Nameless,
        /// Without a name, and `null` in the place of what it is made of.
        Absent,
        /// Not at all.
        Unlisted,
    }

    /// Where somebody is listed who left and was invited again.
    returned: Returned {
        /// Among the members and among those who have left.
        Both,
        /// Among the members alone.
        Members,
    }

    /// Where `GET /me/` has the organisation of the key: <https://developer.close.com/resources/users/>.
    my_organization: MyOrganization {
        /// At the top, and in both lists.
        Top,
        /// In the lists alone.
        Lists,
        /// In a list of bare ids and in the memberships, as `GET /user/` has it.
        Ids,
        /// In the memberships alone.
        Memberships,
    }

    /// How the limits are stated. They have had three forms by now: <https://developer.close.com/topics/rate-limits/>.
    limits: Limits {
        /// `ratelimit: limit=240, remaining=238, reset=8` and `retry-after`.
        Now,
        /// Three headers, `ratelimit-limit`, `-remaining` and `-reset`, as was recorded in 2022.
        Apart,
        /// Three headers, `x-rate-limit-…`, as was recorded in 2017.
        Older,
        /// `ratelimit: "default";r=238;t=8`, as a later draft of the standard has it, and `retry-after`.
        Draft,
        /// `retry-after` alone, as a date.
        Date,
        /// Not at all.
        Untold,
    }

    /// Whether answers are compressed. Those that were recorded came with `vary: accept-encoding`, and none was.
    coding: Coding {
        /// Never.
        Plain,
        /// For whoever says that it can read that.
        AsAsked,
        /// Always, as HTTP allows where nobody says anything.
        Always,
    }

    /// What is answered while Close is being maintained.
    maintenance: Maintenance {
        /// 503, with a line of the proxy's.
        Line,
        /// 503, with a page.
        Page,
        /// 200, with a page.
        Fine,
    }

    /// What the role of a user who does not see all leads does to the fields of those that it sees.
    small_role: SmallRole {
        /// Nothing.
        ShowsAll,
        /// The custom fields are left out.
        LeavesOut,
    }

    /// What becomes of `_fields` that name a field which does not exist, or no longer.
    unknown_field: UnknownField {
        /// It is left out.
        Skipped,
        /// 400.
        Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_deviation_comes_once_and_alone() {
        let each = Switches::each();
        let names: BTreeSet<String> = each.iter().map(Switches::to_string).collect();
        assert_eq!((each.len(), names.len()), (33, 33));
        assert_eq!((each[0], each[0].to_string()), (Switches::default(), "the likeliest answers".to_owned()));
        assert!(names.contains("gone: Moved") && names.iter().all(|name| !name.contains(", ")));
    }
}
