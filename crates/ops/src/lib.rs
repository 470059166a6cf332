//! What an operator can see and do. The console and the commands are two faces of it.
