//! In place of the door: a place among the clients, which nobody counts.

use std::marker::PhantomData;

#[derive(Default)]
pub(crate) struct Place<'a>(PhantomData<&'a ()>);
