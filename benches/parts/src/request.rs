//! In place of what is known of requests: the names that the configuration has in it.

#[derive(Clone, Debug)]
pub struct HostName;

#[derive(Clone, Debug)]
pub struct Origin;
