//! The history, in real files.
