//! How much a client may ask for, and what follows when it asks for more.

use std::time::Instant;

use crate::chat::Command;
use crate::config::Limits;
use crate::rate::Rate;

/// What others do not hear may be asked for so many times as often.
const REQUESTS_PER_TEXT: u32 = 10;

/// The rates of one client.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Of what others hear.
    texts: Option<Rate>,
    /// Of all that it asks for.
    requests: Option<Rate>,
    /// Of what it was refused because of the other two.
    refusals: Option<Rate>,
}

/// A client of the JSON dialect asks too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// It is told so, and when it may ask again.
    Until(Instant),
    /// It was told so, and goes on.
    Flooding,
}

impl Pace {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let (burst, per_second) = (limits.burst, limits.per_second);
        let often = |number: u32| number.saturating_mul(REQUESTS_PER_TEXT);
        let requests = Rate::new(often(per_second), often(burst), now);
        let refusals = requests.clone();
        Self { texts: Rate::new(per_second, burst, now), requests, refusals }
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
    pub(crate) fn admit(&mut self, command: Option<&Command>, now: Instant) -> Result<(), TooMuch> {
        // A search is heard by nobody, and is work.
        let counts_as_text = matches!(
            command,
            Some(
                Command::Say { .. }
                    | Command::Tell { .. }
                    | Command::Nick { .. }
                    | Command::Search(_)
            )
        );
        let texts = self.texts.as_mut().filter(|_| counts_as_text);
        let mut rates = [texts, self.requests.as_mut()];
        let waits = rates.iter().flatten().filter_map(|rate| rate.wait_until(now));
        if let Some(until) = waits.max() {
            return Err(self.refuse(until, now));
        }
        for rate in rates.iter_mut().flatten() {
            rate.count(now);
        }
        Ok(())
    }

    fn refuse(&mut self, until: Instant, now: Instant) -> TooMuch {
        match &mut self.refusals {
            Some(refusals) if refusals.wait_until(now).is_none() => {
                refusals.count(now);
                TooMuch::Until(until)
            }
            _ => TooMuch::Flooding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_after_being_told_is_flooding() {
        let now = Instant::now();
        let mut pace = Pace::new(&Limits { burst: 2, per_second: 1, ..Limits::default() }, now);
        let nick = Command::Nick { nickname: crate::chat::Nickname::parse("ana").unwrap() };
        let answers: Vec<_> = (0..23).map(|_| pace.admit(Some(&nick), now)).collect();
        assert_eq!(answers[..2], [Ok(()), Ok(())]);
        for answer in &answers[2..22] {
            assert!(matches!(answer, Err(TooMuch::Until(until)) if *until > now));
        }
        assert_eq!(answers[22], Err(TooMuch::Flooding));
    }

    #[test]
    fn what_only_the_server_hears_may_be_asked_for_more_often() {
        let now = Instant::now();
        let mut pace = Pace::new(&Limits { burst: 2, per_second: 1, ..Limits::default() }, now);
        for _ in 0..20 {
            assert_eq!(pace.admit(Some(&Command::Ping), now), Ok(()));
        }
        assert!(pace.admit(None, now).is_err(), "what is no request counts, too");
    }
}
