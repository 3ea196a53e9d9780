//! How often something may happen: at a steady rate, with a burst now and then.

use std::time::{Duration, Instant};

/// Allows a burst, and from then on one more in each interval (the generic cell rate algorithm, or
/// a bucket of tokens that fills drop by drop).
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    interval: Duration,
    /// How far ahead of the steady rate a burst may be.
    slack: Duration,
    /// When the next one would be due at the steady rate.
    due: Instant,
}

impl Rate {
    /// At most `burst` at once, and `per_second` in the long run. `None` when `per_second` is 0,
    /// which is no limit.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, slack: interval * burst.saturating_sub(1), due: now })
    }

    /// When the next may happen, if it may not happen now.
    pub(crate) fn wait_until(&self, now: Instant) -> Option<Instant> {
        (now + self.slack < self.due).then(|| self.due - self.slack)
    }

    /// Counts one that happens now.
    pub(crate) fn count(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many happen at once.
    fn happen(rate: &mut Rate, now: Instant) -> usize {
        let mut count = 0;
        while rate.wait_until(now).is_none() {
            rate.count(now);
            count += 1;
        }
        count
    }

    #[test]
    fn a_burst_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(4, 10, start).unwrap();
        assert_eq!(happen(&mut rate, start), 10);
        let next = rate.wait_until(start).unwrap();
        assert_eq!(next - start, Duration::from_millis(250));
        assert_eq!(happen(&mut rate, next), 1);
        assert_eq!(happen(&mut rate, start + Duration::from_secs(2)), 7);
        assert_eq!(happen(&mut rate, start + Duration::from_secs(3600)), 10);
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        assert!(Rate::new(0, 10, Instant::now()).is_none());
    }
}
