//! The ports that reach other people's servers: owner directory, Slack, SMTP.
