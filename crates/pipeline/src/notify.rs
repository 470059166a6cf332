//! The stage that tells the team.
