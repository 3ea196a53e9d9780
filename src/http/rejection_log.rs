//! Log lines about refused callers, at a bounded rate: an operator finds the reason there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::rejection::Rejection;

/// How long a status is silent after a line about it.
const PAUSE: Duration = Duration::from_secs(1);

/// Logs refusals, one line a second at most for each status: a flood of one kind hides no other.
/// The threads of all connections share it, and a channel would need one more thread to read it.
#[derive(Debug, Default)]
pub(super) struct RejectionLog {
    statuses: Mutex<BTreeMap<u16, Silence>>,
}

/// The lines about a status that are left out, and until when.
#[derive(Debug)]
struct Silence {
    until: Instant,
    left_out: u64,
}

impl RejectionLog {
    /// Logs the address, the status and the reason. Nothing of the request is logged.
    pub(super) fn log(&self, address: IpAddr, refusal: &Rejection) {
        let (status, reason) = (refusal.status().0, refusal.reason());
        if let Some(left_out) = self.admit(status, Instant::now()) {
            let more = match left_out {
                0 => String::new(),
                _ => format!(" ({left_out} such lines left out)"),
            };
            log::log!(refusal.level(), "{address} is refused with {status}: {reason}{more}");
        }
    }

    /// Returns how many lines about a status were left out since the last, if there may be one now.
    fn admit(&self, status: u16, now: Instant) -> Option<u64> {
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        let silence = statuses.entry(status).or_insert(Silence { until: now, left_out: 0 });
        if now < silence.until {
            silence.left_out += 1;
            return None;
        }
        silence.until = now + PAUSE;
        Some(std::mem::take(&mut silence.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_a_line_a_second() {
        let log = RejectionLog::default();
        let start = Instant::now();
        let admit = |status, ms| log.admit(status, start + Duration::from_millis(ms));
        assert_eq!([0, 10, 999].map(|ms| admit(403, ms)), [Some(0), None, None]);
        assert_eq!([20, 30].map(|ms| admit(421, ms)), [Some(0), None]);
        assert_eq!([1000, 1001, 5000].map(|ms| admit(403, ms)), [Some(2), None, Some(1)]);
    }
}
