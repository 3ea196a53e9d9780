//! How much a client may ask for, and what follows when it asks for more.

use std::num::NonZeroU32;
use std::time::Instant;

use super::allowances::{Allowance, Counted, REQUESTS_PER_TEXT};
use crate::chat::{Command, ROOMS_PER_PERSON_MAX, TokenBucket};
use crate::config::Limits;

/// The rates of one client.
#[derive(Debug)]
pub(crate) struct ClientRateLimits<'a> {
    /// Of what others hear.
    texts: Option<Rate<'a>>,
    /// Of all that it asks for.
    requests: Option<Rate<'a>>,
    /// Of what it was refused because of the other two.
    refusals: Option<TokenBucket>,
    /// How many rooms it may still come back to before that counts as a text.
    returns_left: usize,
}

/// The rate of one kind of thing.
#[derive(Debug)]
struct Rate<'a> {
    counted: Counted,
    /// The most that the client may do.
    own: TokenBucket,
    /// `None`: networks are not counted.
    earned: Option<Earned<'a>>,
}

/// What a client has earned by staying, and the network that lends the rest.
#[derive(Debug)]
struct Earned<'a> {
    own: TokenBucket,
    lender: Allowance<'a>,
}

/// A client of the JSON dialect asks too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateLimited {
    /// It is told so, and when it may ask again.
    Until(Instant),
    /// It was told so, and goes on.
    Flooding,
}

/// What a request costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Price {
    /// Only the server hears of it.
    Request,
    /// One of the rooms to which a client may come back without a price.
    Return,
    /// It counts as a text. The chat counts arrivals of a network by itself.
    Presence,
    /// Others hear it, or it is work.
    Text,
}

impl<'a> Rate<'a> {
    fn new(
        counted: Counted,
        own: TokenBucket,
        allowance: Option<Allowance<'a>>,
        now: Instant,
    ) -> Self {
        let earned = allowance.map(|lender| Earned { own: own.clone().emptied(now), lender });
        Self { counted, own, earned }
    }

    /// When the next may happen, if it may not happen now.
    #[inline]
    fn wait_until(&self, now: Instant) -> Option<Instant> {
        match (self.own.wait_until(now), &self.earned) {
            (None, Some(earned)) => earned.wait_until(self.counted, now),
            (own, _) => own,
        }
    }

    /// Counts one that happens now.
    #[inline]
    fn count(&mut self, now: Instant) {
        self.own.count(now);
        if let Some(earned) = &mut self.earned {
            earned.count(self.counted, now);
        }
    }
}

impl Earned<'_> {
    #[inline(never)]
    fn wait_until(&self, counted: Counted, now: Instant) -> Option<Instant> {
        let own = self.own.wait_until(now)?;
        Some(own.min(self.lender.wait_until(counted, now)?))
    }

    #[inline(never)]
    fn count(&mut self, counted: Counted, now: Instant) {
        match self.own.wait_until(now) {
            None => self.own.count(now),
            Some(_) => self.lender.count(counted, now),
        }
    }
}

impl<'a> ClientRateLimits<'a> {
    /// The same on the heap, out of a frame of its own.
    #[inline(never)]
    pub(crate) fn boxed(
        limits: &Limits,
        allowance: Option<Allowance<'a>>,
        now: Instant,
    ) -> Box<Self> {
        Box::new(Self::new(limits, allowance, now))
    }

    /// Without an allowance, what others of the client's network do makes no difference.
    pub(crate) fn new(limits: &Limits, allowance: Option<Allowance<'a>>, now: Instant) -> Self {
        let (burst, per_second) = (limits.burst, limits.per_second.map_or(0, NonZeroU32::get));
        let often = |number: u32| number.saturating_mul(REQUESTS_PER_TEXT);
        let texts = TokenBucket::new(per_second, burst, now);
        let requests = TokenBucket::new(often(per_second), often(burst), now);
        let refusals = requests.clone();
        Self {
            texts: texts.map(|texts| Rate::new(Counted::Texts, texts, allowance, now)),
            requests: requests.map(|own| Rate::new(Counted::Requests, own, allowance, now)),
            refusals,
            returns_left: ROOMS_PER_PERSON_MAX,
        }
    }

    /// Until when a plain client, who cannot be told, is not read.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        self.texts.as_ref()?.wait_until(now)
    }

    /// Counts a text of a plain client.
    pub(crate) fn count_text(&mut self, now: Instant) {
        if let Some(texts) = &mut self.texts {
            texts.count(now);
        }
    }

    /// Counts a request, of which `command` is what it comes to, if it comes to anything.
    pub(crate) fn admit(
        &mut self,
        command: Option<&Command>,
        now: Instant,
    ) -> Result<(), RateLimited> {
        let price = self.price(command);
        let text = self.texts.as_ref().and_then(|texts| match price {
            Price::Request | Price::Return => None,
            Price::Presence => texts.own.wait_until(now),
            Price::Text => texts.wait_until(now),
        });
        let request = self.requests.as_ref().and_then(|requests| requests.wait_until(now));
        if let Some(until) = text.max(request) {
            return Err(self.refuse(until, now));
        }
        if price == Price::Return {
            self.returns_left -= 1;
        }
        match (&mut self.texts, price) {
            (Some(texts), Price::Presence) => texts.own.count(now),
            (Some(texts), Price::Text) => texts.count(now),
            _ => {}
        }
        if let Some(requests) = &mut self.requests {
            requests.count(now);
        }
        Ok(())
    }

    fn price(&self, command: Option<&Command>) -> Price {
        match command {
            Some(Command::Join { since: Some(_), .. }) if self.returns_left > 0 => Price::Return,
            Some(Command::Join { .. } | Command::Part { .. }) => Price::Presence,
            // A search is heard by nobody, and is work.
            Some(
                Command::Say(_) | Command::Tell(_) | Command::Nick { .. } | Command::Search(_),
            ) => Price::Text,
            _ => Price::Request,
        }
    }

    fn refuse(&mut self, until: Instant, now: Instant) -> RateLimited {
        match &mut self.refusals {
            Some(refusals) if refusals.wait_until(now).is_none() => {
                refusals.count(now);
                RateLimited::Until(until)
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
    use crate::connection::allowances::Allowances;

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

    /// How many are admitted at once.
    fn admitted(pace: &mut ClientRateLimits<'_>, command: &Command, now: Instant) -> usize {
        (0..100).take_while(|_| pace.admit(Some(command), now).is_ok()).count()
    }

    #[test]
    fn a_client_that_goes_on_after_being_told_is_flooding() {
        let now = Instant::now();
        let mut pace = ClientRateLimits::new(&limits(2, 1), None, now);
        let answers: Vec<_> = (0..23).map(|_| pace.admit(Some(&nick()), now)).collect();
        assert_eq!(answers[..2], [Ok(()), Ok(())]);
        for answer in &answers[2..22] {
            assert!(matches!(answer, Err(RateLimited::Until(until)) if *until > now));
        }
        assert_eq!(answers[22], Err(RateLimited::Flooding));
    }

    #[test]
    fn what_only_the_server_hears_may_be_asked_for_more_often() {
        let now = Instant::now();
        let mut pace = ClientRateLimits::new(&limits(2, 1), None, now);
        for _ in 0..20 {
            assert_eq!(pace.admit(Some(&Command::Ping), now), Ok(()));
        }
        assert!(pace.admit(None, now).is_err(), "what is no request counts, too");
    }

    #[test]
    fn joining_counts_as_a_text_and_coming_back_to_16_rooms_does_not() {
        let now = Instant::now();
        let mut pace = ClientRateLimits::new(&limits(10, 4), None, now);
        assert_eq!(admitted(&mut pace, &join(Some(1)), now), 16 + 10);
        let mut pace = ClientRateLimits::new(&limits(10, 4), None, now);
        assert_eq!(admitted(&mut pace, &join(None), now), 10);
        let part = Command::Part { room: RoomName::lobby() };
        assert!(pace.admit(Some(&part), now).is_err());
    }

    #[test]
    fn clients_that_come_again_and_again_say_less_than_four_that_stay() {
        let (start, limits) = (Instant::now(), limits(10, 4));
        let allowances = Allowances::new(&limits);
        let texts = (0..10_000).map(|ms| {
            let now = start + Duration::from_millis(ms);
            let mut pace = ClientRateLimits::new(&limits, Some(allowances.of(network())), now);
            admitted(&mut pace, &nick(), now)
        });
        let texts: usize = texts.sum();
        assert!((150..=4 * (10 + 4 * 10)).contains(&texts), "{texts}");
    }

    #[test]
    fn clients_that_stay_earn_their_own_whatever_others_of_the_network_do() {
        let (start, limits) = (Instant::now(), limits(10, 4));
        let allowances = Allowances::new(&limits);
        let new = |now| ClientRateLimits::new(&limits, Some(allowances.of(network())), now);
        let mut staying = new(start);
        assert_eq!(admitted(&mut staying, &nick(), start), 10);
        while admitted(&mut new(start), &nick(), start) > 0 {}
        let later = start + Duration::from_secs(1);
        while admitted(&mut new(later), &nick(), later) > 0 {}
        assert_eq!(admitted(&mut staying, &nick(), later), 4);
        let mut plain = new(later);
        assert!(
            plain.pause(later).is_some_and(|until| until <= later + Duration::from_millis(250))
        );
        plain.count_text(later);
    }

    #[test]
    fn a_classroom_behind_one_address_speaks_at_once() {
        let (now, limits) = (Instant::now(), Limits::default());
        let allowances = Allowances::new(&limits);
        for _ in 0..64 {
            let mut pace = ClientRateLimits::new(&limits, Some(allowances.of(network())), now);
            for command in [Command::Hello { wish: None, session: None }, join(None), nick()] {
                assert_eq!(pace.admit(Some(&command), now), Ok(()));
            }
        }
    }
}
