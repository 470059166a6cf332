//! The leadops binary: command line and console.
