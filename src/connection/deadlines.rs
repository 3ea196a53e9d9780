//! The deadlines of a connection, as arithmetic. It reads no clock and sends nothing.

use std::time::Instant;

use crate::broadcaster::close_reason::CloseReason;
use crate::limits::Limits;

/// The times of a client's last actions, and the deadlines for its next ones.
#[derive(Debug)]
pub(super) struct Deadlines<'a> {
    limits: &'a Limits,
    /// When bytes last came from the client.
    pub(super) heard: Instant,
    /// When a ping was sent, if no bytes have come since.
    pinged: Option<Instant>,
    /// When the client must have said hello. `None`: it has, or its dialect has no hello.
    pub(super) hello_due: Option<Instant>,
    /// Since when the socket has taken no bytes. `None`: no frames wait for it.
    pub(super) blocked_since: Option<Instant>,
    /// Until when the client is not read, because it sent too many messages.
    pub(super) paused_until: Option<Instant>,
}

/// The next action of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// Whether to send a ping now.
    pub(super) ping: bool,
    /// When to look at the deadlines again, even if nothing happens.
    pub(super) wait_until: Instant,
}

impl<'a> Deadlines<'a> {
    /// Returns the deadlines of a client that connected just now.
    pub(super) fn new(limits: &'a Limits, must_say_hello: bool, now: Instant) -> Self {
        Self {
            limits,
            heard: now,
            pinged: None,
            hello_due: must_say_hello.then(|| now + limits.hello_within),
            blocked_since: None,
            paused_until: None,
        }
    }

    /// Ends a pause that is over. Returns whether one was.
    pub(super) fn end_pause(&mut self, now: Instant) -> bool {
        self.paused_until.take_if(|until| *until <= now).is_some()
    }

    /// Returns the next action, or the reason to close the connection. A ping counts as sent.
    pub(super) fn next(&mut self, now: Instant) -> Result<Next, CloseReason> {
        if self.hello_due.is_some_and(|due| due <= now) {
            return Err(CloseReason::NoHello);
        }
        let stalled = self.blocked_since.map(|since| since + self.limits.stall_max);
        if stalled.is_some_and(|deadline| deadline <= now) {
            return Err(CloseReason::TooSlow);
        }
        // During a pause nothing is read, so silence says nothing about the client.
        let heard = self.paused_until.map_or(self.heard, |_| now);
        self.pinged = self.pinged.filter(|pinged| *pinged >= heard);
        let ping = self.pinged.is_none() && heard + self.limits.ping_after <= now;
        if ping {
            self.pinged = Some(now);
        }
        let silent = match self.pinged {
            Some(pinged) => pinged + self.limits.pong_within,
            None => heard + self.limits.ping_after,
        };
        if silent <= now && !ping {
            return Err(CloseReason::TimedOut);
        }
        let others = [stalled, self.paused_until, self.hello_due].into_iter().flatten();
        Ok(Next { ping, wait_until: others.fold(silent, Instant::min) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The state of a connection at a time. All times are seconds.
    #[derive(Clone, Copy, Debug, Default)]
    struct Case {
        hello_due: Option<u64>,
        blocked_since: Option<u64>,
        paused_until: Option<u64>,
        heard: u64,
        pinged: Option<u64>,
        now: u64,
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Expected {
        WaitUntil(u64),
        PingAndWaitUntil(u64),
        Close(CloseReason),
    }
    use Expected::{Close, PingAndWaitUntil, WaitUntil};

    fn limits() -> Limits {
        Limits {
            hello_within: Duration::from_secs(15),
            ping_after: Duration::from_secs(25),
            pong_within: Duration::from_secs(10),
            stall_max: Duration::from_secs(12),
            ..Limits::default()
        }
    }

    fn next(deadlines: &mut Deadlines<'_>, start: Instant, now: u64) -> Expected {
        match deadlines.next(start + Duration::from_secs(now)) {
            Ok(Next { ping, wait_until }) => {
                let wait_until = (wait_until - start).as_secs();
                if ping { PingAndWaitUntil(wait_until) } else { WaitUntil(wait_until) }
            }
            Err(reason) => Close(reason),
        }
    }

    fn check(cases: &[(Case, Expected)]) {
        let (start, limits) = (Instant::now(), limits());
        let at = |seconds| start + Duration::from_secs(seconds);
        for (case, expected) in cases {
            let mut deadlines = Deadlines {
                limits: &limits,
                heard: at(case.heard),
                pinged: case.pinged.map(at),
                hello_due: case.hello_due.map(at),
                blocked_since: case.blocked_since.map(at),
                paused_until: case.paused_until.map(at),
            };
            assert_eq!(next(&mut deadlines, start, case.now), *expected, "{case:?}");
        }
    }

    #[test]
    fn a_silent_client_is_pinged_and_then_times_out() {
        let case = Case { heard: 100, ..Case::default() };
        let pinged = Case { pinged: Some(125), ..case };
        check(&[
            (Case { now: 100, ..case }, WaitUntil(125)),
            (Case { now: 124, ..case }, WaitUntil(125)),
            (Case { now: 125, ..case }, PingAndWaitUntil(135)),
            // The thread was late.
            (Case { now: 127, ..case }, PingAndWaitUntil(137)),
            (Case { now: 125, ..pinged }, WaitUntil(135)),
            (Case { now: 134, ..pinged }, WaitUntil(135)),
            (Case { now: 135, ..pinged }, Close(CloseReason::TimedOut)),
            (Case { now: 136, ..pinged }, Close(CloseReason::TimedOut)),
        ]);
    }

    #[test]
    fn any_byte_after_a_ping_answers_it() {
        let pinged = Case { pinged: Some(125), ..Case::default() };
        check(&[
            // A byte that came in the moment of the ping was sent before it.
            (Case { heard: 125, now: 126, ..pinged }, WaitUntil(135)),
            (Case { heard: 126, now: 126, ..pinged }, WaitUntil(151)),
            (Case { heard: 126, now: 135, ..pinged }, WaitUntil(151)),
            (Case { heard: 126, now: 151, ..pinged }, PingAndWaitUntil(161)),
        ]);
    }

    #[test]
    fn a_client_that_must_say_hello_has_until_its_deadline() {
        let case = Case { hello_due: Some(15), ..Case::default() };
        check(&[
            (Case { now: 0, ..case }, WaitUntil(15)),
            (Case { now: 14, ..case }, WaitUntil(15)),
            (Case { now: 15, ..case }, Close(CloseReason::NoHello)),
            (Case { now: 16, ..case }, Close(CloseReason::NoHello)),
            (Case { now: 15, heard: 15, ..case }, Close(CloseReason::NoHello)),
            (Case { now: 15, paused_until: Some(20), ..case }, Close(CloseReason::NoHello)),
        ]);
    }

    #[test]
    fn a_socket_that_takes_nothing_for_too_long_is_too_slow() {
        let case = Case { blocked_since: Some(100), heard: 100, ..Case::default() };
        check(&[
            (Case { now: 100, ..case }, WaitUntil(112)),
            (Case { now: 111, ..case }, WaitUntil(112)),
            (Case { now: 112, ..case }, Close(CloseReason::TooSlow)),
            (Case { now: 113, ..case }, Close(CloseReason::TooSlow)),
            // It still sends, and still does not read.
            (Case { now: 112, heard: 112, ..case }, Close(CloseReason::TooSlow)),
            (Case { now: 112, paused_until: Some(120), ..case }, Close(CloseReason::TooSlow)),
        ]);
    }

    #[test]
    fn a_pause_excuses_silence_and_pings() {
        let case = Case { heard: 100, paused_until: Some(130), ..Case::default() };
        check(&[
            (Case { now: 100, ..case }, WaitUntil(125)),
            (Case { now: 106, ..case }, WaitUntil(130)),
            (Case { now: 125, ..case }, WaitUntil(130)),
            (Case { now: 129, pinged: Some(110), ..case }, WaitUntil(130)),
            (Case { now: 120, pinged: Some(110), ..case }, WaitUntil(130)),
            // It is not ended here, but by `resume`.
            (Case { now: 131, ..case }, WaitUntil(130)),
        ]);
    }

    #[test]
    fn the_first_deadline_counts() {
        let case = Case { heard: 100, now: 100, ..Case::default() };
        check(&[
            (Case { hello_due: Some(124), ..case }, WaitUntil(124)),
            (Case { hello_due: Some(126), ..case }, WaitUntil(125)),
            (Case { hello_due: Some(111), blocked_since: Some(100), ..case }, WaitUntil(111)),
            (Case { hello_due: Some(113), blocked_since: Some(100), ..case }, WaitUntil(112)),
            (Case { paused_until: Some(101), blocked_since: Some(100), ..case }, WaitUntil(101)),
            (Case { paused_until: Some(113), blocked_since: Some(100), ..case }, WaitUntil(112)),
            (Case { now: 125, blocked_since: Some(114), ..case }, PingAndWaitUntil(126)),
            (Case { now: 125, hello_due: Some(134), ..case }, PingAndWaitUntil(134)),
            (
                Case { now: 135, pinged: Some(125), blocked_since: Some(100), ..case },
                Close(CloseReason::TooSlow),
            ),
            (
                Case { now: 135, hello_due: Some(135), blocked_since: Some(100), ..case },
                Close(CloseReason::NoHello),
            ),
        ]);
    }

    #[test]
    fn a_ping_is_sent_once_and_again_after_the_next_silence() {
        let (start, limits) = (Instant::now(), limits());
        let mut deadlines = Deadlines::new(&limits, true, start);
        assert_eq!(next(&mut deadlines, start, 0), WaitUntil(15));
        deadlines.hello_due = None;
        assert_eq!(next(&mut deadlines, start, 0), WaitUntil(25));
        assert_eq!(next(&mut deadlines, start, 25), PingAndWaitUntil(35));
        assert_eq!(next(&mut deadlines, start, 26), WaitUntil(35));
        deadlines.heard = start + Duration::from_secs(30);
        assert_eq!(next(&mut deadlines, start, 30), WaitUntil(55));
        assert_eq!(next(&mut deadlines, start, 55), PingAndWaitUntil(65));
        assert_eq!(next(&mut deadlines, start, 65), Close(CloseReason::TimedOut));
    }

    #[test]
    fn a_client_of_a_dialect_without_hello_need_not_say_it() {
        let (start, limits) = (Instant::now(), limits());
        assert_eq!(next(&mut Deadlines::new(&limits, false, start), start, 0), WaitUntil(25));
    }

    #[test]
    fn a_pause_ends_at_its_deadline() {
        let (start, limits) = (Instant::now(), limits());
        let mut deadlines = Deadlines::new(&limits, false, start);
        assert!(!deadlines.end_pause(start), "there was no pause");
        let until = start + Duration::from_secs(5);
        deadlines.paused_until = Some(until);
        assert!(!deadlines.end_pause(until - Duration::from_nanos(1)));
        assert_eq!(deadlines.paused_until, Some(until));
        assert!(deadlines.end_pause(until));
        assert_eq!(deadlines.paused_until, None);
    }
}
