//! The rate limits of one client, and the refusal of requests above them.

use std::num::NonZeroU32;
use std::time::Instant;

use super::shared_buckets::{Lender, REQUESTS_PER_TEXT, Rate};
use crate::chat::{Command, ROOMS_PER_PERSON_MAX, TokenBucket};
use crate::limits::Limits;

/// The rate limits of one client.
#[derive(Debug)]
pub(crate) struct ClientRateLimits<'a> {
    texts: Option<RateLimit<'a>>,
    requests: Option<RateLimit<'a>>,
    /// Limits the answers to requests above the other two limits.
    refusals: Option<TokenBucket>,
    /// How many more rooms the client may resume at the price of a request.
    resumes_left: usize,
}

/// One rate limit of a client. A charge takes a token from the client's bucket, and a second one
/// that the client has earned since it connected, or else borrows from its network.
#[derive(Debug)]
struct RateLimit<'a> {
    rate: Rate,
    /// Full at first, so that a new client may send a burst.
    bucket: TokenBucket,
    /// `None`: networks are not limited.
    credit: Option<Credit<'a>>,
}

/// The tokens that a client has earned since it connected, and the network that lends it more.
#[derive(Debug)]
struct Credit<'a> {
    /// Empty at first.
    earned: TokenBucket,
    lender: Lender<'a>,
}

/// A JSON client exceeds its rate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateLimited {
    /// The request is refused. The client may send it again at this time.
    RetryAt(Instant),
    /// Too many requests were refused. The connection is closed.
    Flooding,
}

/// The price of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charge {
    /// Only the server handles it.
    Request,
    /// The client resumes one of its rooms. The first ones are charged as requests.
    Resume,
    /// Joining and leaving are charged as texts to the client, but not to its network: the chat has
    /// a separate limit for the arrivals of a network.
    Presence,
    /// It reaches other clients, or it is a search, which takes time.
    Text,
}

impl<'a> RateLimit<'a> {
    fn new(rate: Rate, bucket: TokenBucket, lender: Option<Lender<'a>>, now: Instant) -> Self {
        let credit = lender.map(|lender| Credit { earned: bucket.clone().emptied(now), lender });
        Self { rate, bucket, credit }
    }

    /// Returns when the next charge is possible. `None`: now.
    #[inline]
    fn wait_until(&self, now: Instant) -> Option<Instant> {
        match (self.bucket.wait_until(now), &self.credit) {
            (None, Some(credit)) => credit.wait_until(self.rate, now),
            (wait, _) => wait,
        }
    }

    #[inline]
    fn charge(&mut self, now: Instant) {
        self.bucket.count(now);
        if let Some(credit) = &mut self.credit {
            credit.charge(self.rate, now);
        }
    }
}

impl Credit<'_> {
    #[inline(never)]
    fn wait_until(&self, rate: Rate, now: Instant) -> Option<Instant> {
        let earned = self.earned.wait_until(now)?;
        Some(earned.min(self.lender.wait_until(rate, now)?))
    }

    #[inline(never)]
    fn charge(&mut self, rate: Rate, now: Instant) {
        match self.earned.wait_until(now) {
            None => self.earned.count(now),
            Some(_) => self.lender.lend(rate, now),
        }
    }
}

impl<'a> ClientRateLimits<'a> {
    /// Returns new limits on the heap.
    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    pub(crate) fn boxed(limits: &Limits, lender: Option<Lender<'a>>, now: Instant) -> Box<Self> {
        Box::new(Self::new(limits, lender, now))
    }

    /// Returns new limits. Without a lender, other clients of the network make no difference.
    fn new(limits: &Limits, lender: Option<Lender<'a>>, now: Instant) -> Self {
        let (burst, per_second) = (limits.burst, limits.per_second.map_or(0, NonZeroU32::get));
        let times = |number: u32| number.saturating_mul(REQUESTS_PER_TEXT);
        let texts = TokenBucket::new(per_second, burst, now);
        let requests = TokenBucket::new(times(per_second), times(burst), now);
        let refusals = requests.clone();
        Self {
            texts: texts.map(|bucket| RateLimit::new(Rate::Texts, bucket, lender, now)),
            requests: requests.map(|bucket| RateLimit::new(Rate::Requests, bucket, lender, now)),
            refusals,
            resumes_left: ROOMS_PER_PERSON_MAX,
        }
    }

    /// Returns until when a plain client must not be read. `None`: its next text is within the limit.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        self.texts.as_ref()?.wait_until(now)
    }

    /// Charges a text of a plain client.
    pub(crate) fn charge_text(&mut self, now: Instant) {
        if let Some(texts) = &mut self.texts {
            texts.charge(now);
        }
    }

    /// Charges a request, if it is within the limits. `command` is `None` if it is malformed.
    pub(crate) fn charge(
        &mut self,
        command: Option<&Command>,
        now: Instant,
    ) -> Result<(), RateLimited> {
        let charge = self.charge_for(command);
        let text = self.texts.as_ref().and_then(|texts| match charge {
            Charge::Request | Charge::Resume => None,
            Charge::Presence => texts.bucket.wait_until(now),
            Charge::Text => texts.wait_until(now),
        });
        let request = self.requests.as_ref().and_then(|requests| requests.wait_until(now));
        if let Some(retry_at) = text.max(request) {
            return Err(self.refuse(retry_at, now));
        }
        if charge == Charge::Resume {
            self.resumes_left -= 1;
        }
        match (&mut self.texts, charge) {
            (Some(texts), Charge::Presence) => texts.bucket.count(now),
            (Some(texts), Charge::Text) => texts.charge(now),
            _ => {}
        }
        if let Some(requests) = &mut self.requests {
            requests.charge(now);
        }
        Ok(())
    }

    fn charge_for(&self, command: Option<&Command>) -> Charge {
        match command {
            Some(Command::Join { since: Some(_), .. }) if self.resumes_left > 0 => Charge::Resume,
            Some(Command::Join { .. } | Command::Part { .. }) => Charge::Presence,
            Some(
                Command::Say(_)
                | Command::Tell(_)
                | Command::Nick { .. }
                | Command::Search(_)
                | Command::Custom(_),
            ) => Charge::Text,
            _ => Charge::Request,
        }
    }

    fn refuse(&mut self, retry_at: Instant, now: Instant) -> RateLimited {
        match &mut self.refusals {
            Some(refusals) if refusals.wait_until(now).is_none() => {
                refusals.count(now);
                RateLimited::RetryAt(retry_at)
            }
            _ => RateLimited::Flooding,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::chat::{Network, Nickname, RoomName, Since};
    use crate::connection::shared_buckets::SharedBuckets;

    fn limits(burst: u32, per_second: u32) -> Limits {
        Limits::default().burst(burst).per_second(NonZeroU32::new(per_second))
    }

    fn nick() -> Command {
        Command::Nick { nickname: Nickname::parse("ana").unwrap() }
    }

    fn join(after: Option<u64>) -> Command {
        let since = after.map(|after| Since { epoch: String::new(), after });
        Command::Join { room: RoomName::lobby(), since }
    }

    fn network() -> Network {
        Network::of(Ipv4Addr::LOCALHOST.into())
    }

    /// Charges the command until it is refused. Returns how often it was within the limits.
    fn burst(rate_limits: &mut ClientRateLimits<'_>, command: &Command, now: Instant) -> usize {
        (0..100).take_while(|_| rate_limits.charge(Some(command), now).is_ok()).count()
    }

    #[test]
    fn a_client_that_continues_after_refusals_is_flooding() {
        let now = Instant::now();
        let mut rate_limits = ClientRateLimits::new(&limits(2, 1), None, now);
        let answers: Vec<_> = (0..23).map(|_| rate_limits.charge(Some(&nick()), now)).collect();
        assert_eq!(answers[..2], [Ok(()), Ok(())]);
        for answer in &answers[2..22] {
            assert!(matches!(answer, Err(RateLimited::RetryAt(time)) if *time > now));
        }
        assert_eq!(answers[22], Err(RateLimited::Flooding));
    }

    #[test]
    fn requests_that_reach_no_other_client_have_a_higher_limit() {
        let now = Instant::now();
        let mut rate_limits = ClientRateLimits::new(&limits(2, 1), None, now);
        for _ in 0..20 {
            assert_eq!(rate_limits.charge(Some(&Command::Ping), now), Ok(()));
        }
        assert!(rate_limits.charge(None, now).is_err(), "a malformed request is charged, too");
    }

    #[test]
    fn joining_is_charged_as_a_text_and_resuming_16_rooms_is_not() {
        let now = Instant::now();
        let mut rate_limits = ClientRateLimits::new(&limits(10, 4), None, now);
        assert_eq!(burst(&mut rate_limits, &join(Some(1)), now), 16 + 10);
        let mut rate_limits = ClientRateLimits::new(&limits(10, 4), None, now);
        assert_eq!(burst(&mut rate_limits, &join(None), now), 10);
        let part = Command::Part { room: RoomName::lobby() };
        assert!(rate_limits.charge(Some(&part), now).is_err());
    }

    #[test]
    fn clients_that_reconnect_all_the_time_send_less_than_four_that_stay() {
        let (start, limits) = (Instant::now(), limits(10, 4));
        let shared = SharedBuckets::new(&limits);
        let texts = (0..10_000).map(|ms| {
            let now = start + Duration::from_millis(ms);
            let mut rate_limits =
                ClientRateLimits::new(&limits, Some(shared.lender(network())), now);
            burst(&mut rate_limits, &nick(), now)
        });
        let texts: usize = texts.sum();
        assert!((150..=4 * (10 + 4 * 10)).contains(&texts), "{texts}");
    }

    #[test]
    fn clients_that_stay_earn_tokens_whatever_others_of_the_network_do() {
        let (start, limits) = (Instant::now(), limits(10, 4));
        let shared = SharedBuckets::new(&limits);
        let new = |now| ClientRateLimits::new(&limits, Some(shared.lender(network())), now);
        let mut staying = new(start);
        assert_eq!(burst(&mut staying, &nick(), start), 10);
        while burst(&mut new(start), &nick(), start) > 0 {}
        let later = start + Duration::from_secs(1);
        while burst(&mut new(later), &nick(), later) > 0 {}
        assert_eq!(burst(&mut staying, &nick(), later), 4);
        let plain = new(later);
        let soon = later + Duration::from_millis(250);
        assert!(plain.pause(later).is_some_and(|until| until <= soon));
    }

    #[test]
    fn all_clients_of_a_classroom_with_one_address_can_send_at_once() {
        let (now, limits) = (Instant::now(), Limits::default());
        let shared = SharedBuckets::new(&limits);
        for _ in 0..64 {
            let mut rate_limits =
                ClientRateLimits::new(&limits, Some(shared.lender(network())), now);
            for command in [Command::Hello { wish: None, session: None }, join(None), nick()] {
                assert_eq!(rate_limits.charge(Some(&command), now), Ok(()));
            }
        }
    }
}
