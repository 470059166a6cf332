//! Every adapter of the ports, put to the ports' contracts.

use tests::conformance::Subject;

tests::conformance!(memory, Subject::memory());
