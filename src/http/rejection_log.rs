//! Log lines about rejected requests, at a bounded rate.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::rejection::Rejection;

/// How long a status is not logged again.
const PAUSE: Duration = Duration::from_secs(1);

/// Logs at most one line per second and status, so that many rejections of one kind hide no other.
///
/// It is behind a mutex because the threads of all connections share it; a channel would need one
/// more thread.
#[derive(Debug, Default)]
pub(super) struct RejectionLog {
    statuses: Mutex<BTreeMap<u16, Status>>,
}

/// The log lines about one status.
#[derive(Debug)]
struct Status {
    paused_until: Instant,
    omitted: u64,
}

impl RejectionLog {
    /// Logs the address, the status and the reason. Nothing of the request is logged.
    pub(super) fn log(&self, address: IpAddr, rejection: &Rejection) {
        let (status, reason) = (rejection.status().0, rejection.reason());
        if let Some(omitted) = self.begin_line(status, Instant::now()) {
            let more = match omitted {
                0 => String::new(),
                _ => format!(" ({omitted} such lines left out)"),
            };
            log::log!(rejection.level(), "{address} is refused with {status}: {reason}{more}");
        }
    }

    /// Returns the number of lines omitted since the last one about a status, or `None` if a line
    /// about it comes too early.
    fn begin_line(&self, status: u16, now: Instant) -> Option<u64> {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let status = statuses.entry(status).or_insert(Status { paused_until: now, omitted: 0 });
        if now < status.paused_until {
            status.omitted += 1;
            return None;
        }
        status.paused_until = now + PAUSE;
        Some(std::mem::take(&mut status.omitted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_logged_once_a_second() {
        let log = RejectionLog::default();
        let start = Instant::now();
        let begin_line = |status, ms| log.begin_line(status, start + Duration::from_millis(ms));
        assert_eq!([0, 10, 999].map(|ms| begin_line(403, ms)), [Some(0), None, None]);
        assert_eq!([20, 30].map(|ms| begin_line(421, ms)), [Some(0), None]);
        assert_eq!([1000, 1001, 5000].map(|ms| begin_line(403, ms)), [Some(2), None, Some(1)]);
    }
}
