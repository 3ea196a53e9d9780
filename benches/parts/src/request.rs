//! Stands in for the types of requests that the configuration refers to.

#[derive(Clone, Debug)]
pub struct HostName;

#[derive(Clone, Debug)]
pub struct Origin;
