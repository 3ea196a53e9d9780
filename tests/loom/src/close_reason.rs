//! In place of the reasons to end: those that the outbox and the models know.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    Closed,
    Lost,
    TooSlow,
    Stopping,
}

impl CloseReason {
    pub(crate) fn lost(_: impl ToString) -> Self {
        Self::Lost
    }

    /// A byte that tells how it ended.
    pub(crate) fn close_frame(&self) -> &'static [u8] {
        match self {
            Self::Closed => b"!",
            Self::Lost => b"?",
            Self::TooSlow => b"~",
            Self::Stopping => b".",
        }
    }
}
