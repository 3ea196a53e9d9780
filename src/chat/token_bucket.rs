//! A limit of how often an event may happen: a steady rate, and a burst after a pause.

use std::time::{Duration, Instant};

/// Allows a burst of events, and after it one in each interval (generic cell rate algorithm).
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    interval: Duration,
    /// How far a burst may run ahead of the steady rate.
    slack: Duration,
    /// When the next event is due at the steady rate.
    due: Instant,
}

impl TokenBucket {
    /// Returns a full bucket: at most `burst` events at once, and `per_second` in the long run.
    /// Returns `None` if `per_second` is 0, which means no limit.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, slack: interval * burst.saturating_sub(1), due: now })
    }

    /// Returns the same bucket without a token. The first token comes after one interval.
    pub(crate) fn emptied(mut self, now: Instant) -> Self {
        self.due = now + self.slack + self.interval;
        self
    }

    /// Returns whether the bucket is full, and so equal to a new one.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// Takes a token, or returns how long it takes until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        match self.wait_until(now) {
            Some(until) => Err(until - now),
            None => {
                self.count(now);
                Ok(())
            }
        }
    }

    /// Returns when the next token comes, or `None` if there is one now.
    #[inline]
    pub(crate) fn wait_until(&self, now: Instant) -> Option<Instant> {
        (now + self.slack < self.due).then(|| self.due - self.slack)
    }

    /// Takes a token without a check.
    #[inline]
    pub(crate) fn count(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all tokens, and returns their number.
    fn drain(bucket: &mut TokenBucket, now: Instant) -> usize {
        let mut count = 0;
        while bucket.wait_until(now).is_none() {
            bucket.count(now);
            count += 1;
        }
        count
    }

    #[test]
    fn a_burst_is_followed_by_a_steady_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(4, 10, start).unwrap();
        assert_eq!(drain(&mut bucket, start), 10);
        let next = bucket.wait_until(start).unwrap();
        assert_eq!(next - start, Duration::from_millis(250));
        assert_eq!(drain(&mut bucket, next), 1);
        assert_eq!(drain(&mut bucket, start + Duration::from_secs(2)), 7);
        assert_eq!(drain(&mut bucket, start + Duration::from_secs(3600)), 10);
    }

    #[test]
    fn an_emptied_bucket_fills_to_its_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(4, 10, start).unwrap().emptied(start);
        assert_eq!(bucket.take(start), Err(Duration::from_millis(250)));
        assert_eq!(drain(&mut bucket, start + Duration::from_millis(250)), 1);
        assert!(!bucket.is_full(start + Duration::from_secs(1)));
        let later = start + Duration::from_secs(3600);
        assert!(bucket.is_full(later));
        assert_eq!(drain(&mut bucket, later), 10);
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        assert!(TokenBucket::new(0, 10, Instant::now()).is_none());
    }
}
