//! Limits how often something happens: at a steady rate, with a burst now and then.

use std::time::{Duration, Instant};

/// Allows a burst, and from then on one more in each interval (the generic cell rate algorithm).
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    interval: Duration,
    /// How far ahead of the steady rate a burst may be.
    slack: Duration,
    /// When the next one would be due at the steady rate.
    due: Instant,
}

impl TokenBucket {
    /// A full bucket: at most `burst` at once, and `per_second` in the long run. `None` when
    /// `per_second` is 0, which is no limit.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, slack: interval * burst.saturating_sub(1), due: now })
    }

    /// The same bucket without a token in it: the first comes after one interval.
    pub(crate) fn emptied(mut self, now: Instant) -> Self {
        self.due = now + self.slack + self.interval;
        self
    }

    /// Whether the bucket is full, so that a new one would be the same.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// Takes a token, or says how long the next one takes.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        match self.wait_until(now) {
            Some(until) => Err(until - now),
            None => {
                self.count(now);
                Ok(())
            }
        }
    }

    /// When the next may happen, if it may not happen now.
    #[inline]
    pub(crate) fn wait_until(&self, now: Instant) -> Option<Instant> {
        (now + self.slack < self.due).then(|| self.due - self.slack)
    }

    /// Counts one that happens now.
    #[inline]
    pub(crate) fn count(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many happen at once.
    fn happen(rate: &mut TokenBucket, now: Instant) -> usize {
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
        let mut rate = TokenBucket::new(4, 10, start).unwrap();
        assert_eq!(happen(&mut rate, start), 10);
        let next = rate.wait_until(start).unwrap();
        assert_eq!(next - start, Duration::from_millis(250));
        assert_eq!(happen(&mut rate, next), 1);
        assert_eq!(happen(&mut rate, start + Duration::from_secs(2)), 7);
        assert_eq!(happen(&mut rate, start + Duration::from_secs(3600)), 10);
    }

    #[test]
    fn an_emptied_bucket_fills_up_to_the_burst() {
        let start = Instant::now();
        let mut rate = TokenBucket::new(4, 10, start).unwrap().emptied(start);
        assert_eq!(rate.take(start), Err(Duration::from_millis(250)));
        assert_eq!(happen(&mut rate, start + Duration::from_millis(250)), 1);
        assert!(!rate.is_full(start + Duration::from_secs(1)));
        let later = start + Duration::from_secs(3600);
        assert!(rate.is_full(later));
        assert_eq!(happen(&mut rate, later), 10);
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        assert!(TokenBucket::new(0, 10, Instant::now()).is_none());
    }
}
