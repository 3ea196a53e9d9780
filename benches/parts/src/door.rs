//! Stands in for the limit of connections.

use std::marker::PhantomData;

#[derive(Default)]
pub(crate) struct Place<'a>(PhantomData<&'a ()>);
