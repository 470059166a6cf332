-- Times are in milliseconds since 1970 where a queue waits for them, else in microseconds.

-- Every lead that anything was ever said of. Rows elsewhere point here by number: leads come in the
-- order of their numbers, so that what is written about new ones lies together, while their ids are
-- random and would touch a page each.
CREATE TABLE lead (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    -- Of the id, see `lead_row.rs`.
    hash INTEGER NOT NULL,
    -- Null while nothing has made the lead known.
    due_at INTEGER,
    -- Null while the lead is open. Of an unknown one, when it was spoken of last.
    ended_at INTEGER,
    progress TEXT
) STRICT;

-- The one index in the order of ids, so as small as can be. Ids with the same hash are told apart by their rows.
CREATE INDEX lead_of_hash ON lead (hash);
CREATE INDEX lead_open ON lead (due_at) WHERE ended_at IS NULL AND due_at IS NOT NULL;
CREATE INDEX lead_ended ON lead (ended_at) WHERE ended_at IS NOT NULL;

-- The last numbers that were given to leads, messages and log lines; see `numbers.rs`.
CREATE TABLE number (
    of TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE object (
    row INTEGER PRIMARY KEY,
    -- The number of the lead whose id is in the key, or 0.
    lead INTEGER NOT NULL,
    -- The key, with `*` in place of the lead's id.
    name TEXT NOT NULL,
    -- Random at each write, so that no two writes of a key ever have the same.
    version INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    -- How the bytes are the body, see `body.rs`.
    form INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX object_name ON object (lead, name);
-- For retention: of all objects only receipts age.
CREATE INDEX object_receipt ON object (stored_at) WHERE name >= 'receipts/' AND name < 'receipts0';

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    visible_at INTEGER NOT NULL,
    -- Of the delivery that is in flight; null while there is none.
    handle INTEGER,
    receives INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL,
    first_failed_at INTEGER,
    lead TEXT,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX message_due ON message (queue, visible_at);
CREATE INDEX message_in_flight ON message (queue, visible_at) WHERE handle IS NOT NULL;

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    lead TEXT,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_failed_at INTEGER NOT NULL,
    dead_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE INDEX dead_letter_latest ON dead_letter (dead_at);
CREATE INDEX dead_letter_of_queue ON dead_letter (queue, dead_at);

CREATE TABLE journal (
    row INTEGER PRIMARY KEY,
    stage TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- 0 where the entry is about none.
    lead INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- What makes an entry's key. Ascending, so that what is new comes at the end of its stage and fills the pages.
CREATE UNIQUE INDEX journal_key ON journal (stage, at, lead, nonce);
CREATE INDEX journal_of_lead ON journal (lead, at);

CREATE TABLE minute (
    at INTEGER PRIMARY KEY,
    accepted INTEGER NOT NULL DEFAULT 0,
    enriched INTEGER NOT NULL DEFAULT 0,
    notified INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- How many there are of what is counted often, so that nobody has to count it; see `tally.rs`.
CREATE TABLE tally (
    what TEXT NOT NULL,
    slot INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (what, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,
    function TEXT NOT NULL,
    message TEXT NOT NULL,
    lead TEXT,
    -- The lead's number, where it was known by then.
    lead_row INTEGER,
    code TEXT,
    fields TEXT
) STRICT;

CREATE INDEX log_of_lead ON log (lead_row) WHERE lead_row IS NOT NULL;
CREATE INDEX log_of_unknown ON log (lead) WHERE lead_row IS NULL AND lead IS NOT NULL;
CREATE INDEX log_serious ON log (level) WHERE level >= 2;
