//! A model of the close reasons: those that the outbox and the models need.

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

    /// Returns one byte that identifies the reason.
    pub(crate) fn close_frame(&self) -> &'static [u8] {
        match self {
            Self::Closed => b"!",
            Self::Lost => b"?",
            Self::TooSlow => b"~",
            Self::Stopping => b".",
        }
    }
}
