//! Servers, clients and scripts for the tests and benchmarks of chinwag.
