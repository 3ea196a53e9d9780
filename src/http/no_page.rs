//! Stands in for `page` without the feature `page`: no server has a page.

use std::io;

use super::head::PageRequest;
use super::rejection::Rejection;
use crate::config::page::Page as Config;

/// No value of this type exists.
#[derive(Debug)]
pub(crate) enum Page {}

/// No value of this type exists.
#[derive(Debug)]
pub(crate) enum PageThread {}

pub(crate) fn open(_: &Config) -> io::Result<Option<(Page, PageThread)>> {
    Ok(None)
}

/// There are no such threads.
pub(crate) fn wait_for_end(_: &str) {}

impl Page {
    pub(crate) fn fetch(&self, _: &PageRequest) -> Result<Vec<u8>, Rejection> {
        match *self {}
    }

    pub(crate) fn stop(&self) {
        match *self {}
    }
}

impl PageThread {
    pub(crate) fn name(&self) -> &str {
        match *self {}
    }

    pub(crate) fn serve(&self) {
        match *self {}
    }
}
