//! What ought to be: who is where, what was said, and what every client has heard of it.

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::super::delivery_model::Hearing;
use super::super::*;
use super::{PEOPLE, RECALLED, RECALLED_SEQ, ROOMS};

const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Who sits before a screen, over all connections and sessions.
#[derive(Default)]
pub(super) struct Actor {
    pub(super) client: Option<ClientId>,
    pub(super) is_plain: bool,
    pub(super) session: Option<Token>,
    /// The newest message that it has of each room.
    pub(super) has: BTreeMap<RoomName, u64>,
}

/// Somebody in the book.
pub(super) struct Guest {
    pub(super) nickname: Nickname,
    pub(super) session: Option<Token>,
    pub(super) client: Option<ClientId>,
    pub(super) kept_until: Option<Instant>,
    pub(super) has_closed: bool,
    pub(super) places: BTreeMap<RoomName, Place>,
}

pub(super) struct Place {
    pub(super) arrival: usize,
    pub(super) away: Option<LeaveReason>,
    /// It was told that there is more which it missed, and is not told yet what is said.
    pub(super) catches_up: bool,
    pub(super) typed: Option<Instant>,
}

/// What a client knows of a room.
pub(super) struct View {
    pub(super) newest: u64,
    /// Plain clients are not told.
    pub(super) members: Option<Vec<Nickname>>,
}

pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) chat: Chat,
    pub(super) random: StdRng,
    pub(super) now: Now,
    pub(super) delivery_model: Hearing,
    pub(super) actors: [Actor; PEOPLE],
    pub(super) views: BTreeMap<(ClientId, RoomName), View>,
    pub(super) clients_count: u64,
    // The book.
    pub(super) guests: Vec<Guest>,
    pub(super) arrivals: usize,
    pub(super) ended: HashMap<Token, (Instant, Nickname)>,
    /// What each session said under which id, as everybody heard it.
    pub(super) receipts: HashMap<(Token, Id), Notice>,
    /// The one order of each room.
    pub(super) said: BTreeMap<RoomName, Vec<Arc<Message>>>,
    /// At least so many are still held.
    pub(super) held: BTreeMap<RoomName, usize>,
    /// The arrivals and goodbyes that a step is to cause.
    pub(super) due: Vec<Notice>,
    /// What the client that joins says it has.
    pub(super) since: Option<Since>,
}

fn recalled(room: &RoomName, seq: u64) -> Arc<Message> {
    let (room, nickname) = (room.clone(), Nickname::parse("keeper").unwrap());
    let text = Text::parse("said before", 100).unwrap();
    Arc::new(Message { room, seq, time: 0, nickname, text, id: None, kind: Kind::Say })
}

pub(super) fn alike(a: &Nickname, b: &Nickname) -> bool {
    a.lookalike_keys().iter().any(|form| b.lookalike_keys().contains(form))
}

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        let (mut chat, mut said) = (Chat::new(rules.clone()), BTreeMap::new());
        if rules.has_archive {
            let attic = RoomName::parse(ROOMS[2]).unwrap();
            let messages = RECALLED.map(|seq| recalled(&attic, seq));
            said.insert(attic.clone(), messages.to_vec());
            let skipped = messages.len().saturating_sub(rules.history.lines_max);
            chat.restore(attic, RECALLED_SEQ, messages[skipped..].to_vec());
        }
        Self {
            chat,
            rules,
            random: StdRng::seed_from_u64(1),
            now: Now { instant: Instant::now(), unix_ms: 0 },
            delivery_model: Hearing::default(),
            actors: Default::default(),
            views: BTreeMap::new(),
            clients_count: 0,
            guests: vec![],
            arrivals: 0,
            ended: HashMap::new(),
            receipts: HashMap::new(),
            said,
            held: BTreeMap::new(),
            due: vec![],
            since: None,
        }
    }

    /// Who sits before this screen has a connection.
    pub(super) fn client_of(&self, who: usize) -> ClientId {
        self.actors[who].client.unwrap()
    }

    /// What follows from a command, which nobody is told of.
    pub(super) fn apply(&mut self, client: ClientId, command: Command) -> Vec<Delivery> {
        let mut out = vec![];
        self.chat.apply(
            client,
            command,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        out.into_iter().map(|delivery| self.look_up(delivery)).collect()
    }

    /// What the chat does not hold is looked up in the book.
    fn look_up(&mut self, delivery: Delivery) -> Delivery {
        let Delivery::Lookup { client, lookup: Lookup::Reading(reading) } = delivery else {
            return delivery;
        };
        assert!(self.rules.has_archive && reading.is_incomplete());
        let mut reading = reading;
        if let Some(after) = reading.part_after() {
            let following: Vec<_> = self.said_after(&reading.room, after).cloned().collect();
            reading = match reading.complete_part(following.into_iter()) {
                Ok(notice) => return Delivery::Reply { client, notice },
                Err(reading) => reading,
            };
        }
        let said = self.said.get(&reading.room).map_or(&[][..], |said| said);
        let older = said.iter().filter(|it| it.seq < reading.before).rev();
        let older: Vec<_> = older.take(reading.missing()).cloned().collect();
        let (room, after) = (reading.room.clone(), reading.part_after());
        let notice = reading.complete(older.into_iter());
        if let (Some(after), true) = (after, Reading::is_barren(&notice)) {
            self.chat.note_nothing_after(client, &room, after);
        }
        Delivery::Reply { client, notice }
    }

    /// What was said in a room after a message, and was not lost with an earlier run.
    pub(super) fn said_after(
        &self,
        room: &RoomName,
        after: u64,
    ) -> impl Iterator<Item = &Arc<Message>> {
        self.said.get(room).into_iter().flatten().filter(move |it| it.seq > after)
    }

    pub(super) fn connect(&mut self, who: usize, is_plain: bool) -> ClientId {
        self.clients_count += 1;
        let client = ClientId(self.clients_count);
        let actor = &mut self.actors[who];
        (actor.client, actor.is_plain) = (Some(client), is_plain);
        self.chat.connect(client, Network::UNKNOWN);
        client
    }

    /// A client of whom nobody knows comes in under a name.
    pub(super) fn welcome(
        &mut self,
        client: ClientId,
        wish: Option<Nickname>,
        nickname: Nickname,
        session: Option<Token>,
    ) {
        assert!(self.is_free(&nickname, None), "{nickname} is given twice");
        match wish.filter(|wish| self.is_free(wish, None)) {
            Some(wish) => assert_eq!(wish, nickname),
            None => assert!(nickname.as_str().starts_with("user-"), "{nickname}"),
        }
        let places = BTreeMap::new();
        let client = Some(client);
        let (kept_until, has_closed) = (None, false);
        self.guests.push(Guest { nickname, session, client, kept_until, has_closed, places });
    }

    pub(super) fn is_free(&self, nickname: &Nickname, but: Option<usize>) -> bool {
        let mut others = self.guests.iter().enumerate().filter(|(index, _)| Some(*index) != but);
        !others.any(|(_, guest)| alike(&guest.nickname, nickname))
    }

    pub(super) fn guest(&self, client: ClientId) -> usize {
        self.guests.iter().position(|it| it.client == Some(client)).expect("it is connected")
    }

    pub(super) fn is_here(&self, client: ClientId, room: &RoomName) -> bool {
        let place = self.guests[self.guest(client)].places.get(room);
        place.is_some_and(|place| place.away.is_none())
    }

    /// Somebody takes a place, or comes back to it unseen.
    pub(super) fn arrive(&mut self, client: ClientId, room: &RoomName) {
        let guest = self.guest(client);
        let until = self.now.instant + self.rules.grace;
        let guest = &mut self.guests[guest];
        // While it comes back to one room after the other, the others are kept.
        if guest.places.values().any(|place| place.away.is_some()) {
            guest.kept_until = Some(until);
        }
        if let Some(place) = guest.places.get_mut(room) {
            place.away = None;
            return;
        }
        self.arrivals += 1;
        let place = Place { arrival: self.arrivals, away: None, catches_up: false, typed: None };
        guest.places.insert(room.clone(), place);
        let nickname = guest.nickname.clone();
        self.due.push(Notice::Arrived { room: room.clone(), nickname });
    }

    /// These places are given up, and everybody in the room is to hear that once.
    pub(super) fn due_left(
        &mut self,
        guest: usize,
        leave_reason: Option<LeaveReason>,
        which: impl Fn(&RoomName, &Place) -> bool,
    ) {
        let guest = &mut self.guests[guest];
        let nickname = guest.nickname.clone();
        guest.places.retain(|room, place| {
            if !which(room, place) {
                return true;
            }
            let reason = leave_reason.or(place.away).expect("why they left");
            let (room, nickname) = (room.clone(), nickname.clone());
            self.due.push(Notice::Left { room, nickname, reason });
            false
        });
    }

    /// Places are kept for a while.
    pub(super) fn step_away(&mut self, guest: usize, leave_reason: LeaveReason) {
        if self.rules.grace.is_zero() {
            self.guests[guest].kept_until = None;
            return self.due_left(guest, Some(leave_reason), |_, _| true);
        }
        self.guests[guest].kept_until = Some(self.now.instant + self.rules.grace);
        for place in self.guests[guest].places.values_mut() {
            place.away.get_or_insert(leave_reason);
        }
    }

    pub(super) fn leave(&mut self, client: ClientId, leave_reason: LeaveReason) {
        let guest = self.guest(client);
        self.guests[guest].client = None;
        let has_session = self.guests[guest].session.is_some();
        self.guests[guest].has_closed = leave_reason == LeaveReason::Closed;
        if leave_reason == LeaveReason::Closed || !has_session {
            self.due_left(guest, Some(leave_reason), |_, _| true);
            self.guests[guest].kept_until = None;
        }
        if has_session {
            self.step_away(guest, leave_reason);
        }
        if self.guests[guest].kept_until.is_none() {
            self.end_session(guest);
        }
        let actor = self.actors.iter_mut().find(|actor| actor.client == Some(client));
        actor.expect("somebody sits there").client = None;
        self.views.retain(|(other, _), _| *other != client);
        self.leave_chat(client, leave_reason);
        self.leave_chat(client, leave_reason);
    }

    /// As the broadcaster does it.
    pub(super) fn leave_chat(&mut self, client: ClientId, leave_reason: LeaveReason) {
        self.delivery_model.remove(client);
        let mut out = vec![];
        self.chat.leave(
            client,
            leave_reason,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        self.carry_out(&out);
    }

    fn end_session(&mut self, guest: usize) {
        let Guest { nickname, session, .. } = self.guests.remove(guest);
        // There is nothing to remember of a session that said nothing.
        let session = session.filter(|it| self.receipts.keys().any(|(other, _)| other == it));
        self.ended.extend(session.map(|session| (session, (self.now.instant, nickname))));
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now.instant += Duration::from_millis(ms);
        self.now.unix_ms += ms;
        let now = self.now.instant;
        for guest in (0..self.guests.len()).rev() {
            if self.guests[guest].kept_until.is_some_and(|until| until <= now) {
                self.guests[guest].kept_until = None;
                self.due_left(guest, None, |_, place| place.away.is_some());
                if self.guests[guest].client.is_none() {
                    self.end_session(guest);
                }
            }
        }
        self.ended.retain(|_, (at, _)| now < *at + REMEMBERED_FOR);
        let mut out = vec![];
        self.chat.tick(&mut Turn { now: self.now, random: &mut self.random, out: &mut out });
        self.carry_out(&out);
    }

    pub(super) fn carry_out(&mut self, out: &[Delivery]) {
        for delivery in out {
            if let Delivery::Room { room, notice } = delivery {
                self.note(room, notice);
            }
            for (client, notice) in self.delivery_model.carry_out(delivery, &self.chat) {
                let direct = !matches!(delivery, Delivery::Room { .. });
                self.hear(client, &notice, direct);
            }
            if let Delivery::Enters { client, room } = delivery {
                self.views.remove(&(*client, room.clone()));
                let guest = &self.guests[self.guest(*client)];
                if guest.session.is_none() {
                    let view = View { newest: self.newest(room), members: None };
                    self.views.insert((*client, room.clone()), view);
                }
            }
        }
    }

    /// What a room is told takes its place in the one order, or was to come.
    fn note(&mut self, room: &RoomName, notice: &Notice) {
        let Notice::Message(message) = notice else {
            let due = self.due.iter().position(|due| due == notice);
            self.due.remove(due.unwrap_or_else(|| panic!("nobody waited for {notice:?}")));
            return;
        };
        assert_eq!((&message.room, message.seq), (room, self.newest(room) + 1));
        self.said.entry(room.clone()).or_default().push(message.clone());
        let held = self.held.entry(room.clone()).or_default();
        *held = (*held + 1).min(self.rules.history.lines_max);
        if let Some(id) = &message.id {
            let client = self.guests.iter().find(|guest| guest.nickname == message.nickname);
            let client = client.and_then(|guest| guest.client).expect("who speaks is there");
            self.remember(client, id.clone(), notice);
        }
    }

    /// What a session has said under this id.
    pub(super) fn original(&self, client: ClientId, id: &Id) -> Option<Notice> {
        let session = self.guests[self.guest(client)].session?;
        self.receipts.get(&(session, id.clone())).cloned()
    }

    pub(super) fn remember(&mut self, client: ClientId, id: Id, notice: &Notice) {
        let session = self.guests[self.guest(client)].session.expect("plain words have no id");
        let before = self.receipts.insert((session, id), notice.clone());
        assert_eq!(before, None, "this was said already");
    }

    /// A client is told something: itself in answer, or with others.
    fn hear(&mut self, client: ClientId, notice: &Notice, direct: bool) {
        let actor = self.actors.iter().position(|actor| actor.client == Some(client));
        let actor = actor.unwrap_or_else(|| panic!("{client:?} is gone, and told {notice:?}"));
        let place = |room: &RoomName| (client, room.clone());
        match notice {
            Notice::Message(_) if direct => {}
            Notice::Message(message) => {
                let view = self.views.get_mut(&place(&message.room)).expect("before it has joined");
                assert_eq!(view.newest + 1, message.seq);
                view.newest = message.seq;
                self.actors[actor].has.insert(message.room.clone(), message.seq);
            }
            Notice::Arrived { room, nickname } => {
                let members =
                    &mut self.views.get_mut(&place(room)).expect("before it has joined").members;
                members.as_mut().expect("in JSON").push(nickname.clone());
            }
            Notice::Left { room, nickname, .. } => {
                let view = self.views.get_mut(&place(room)).expect("before it has joined");
                view.members.iter_mut().for_each(|it| it.retain(|other| other != nickname));
            }
            Notice::Typing { room, .. } => {
                assert!(self.views.get_mut(&place(room)).is_some(), "before it has joined");
            }
            Notice::Renamed { from, to, rooms } => {
                let mut seen = direct && self.actors[actor].client == Some(client);
                for room in rooms {
                    let members =
                        self.views.get_mut(&place(room)).and_then(|it| it.members.as_mut());
                    if let Some(member) = members.into_iter().flatten().find(|it| *it == from) {
                        *member = to.clone();
                        seen = true;
                    }
                }
                assert!(seen, "no room has them both");
            }
            Notice::Joined(joined) => {
                let room = &joined.room;
                let listens = self.delivery_model.rooms_of(client).any(|it| it == room);
                assert!(direct && listens != joined.more);
                self.check_joined(joined);
                let guest = self.guest(client);
                let book = self.guests[guest].places.get_mut(room).expect("it has a place");
                book.catches_up = joined.more;
                if joined.more {
                    self.views.remove(&place(room));
                    let last = joined.messages.last().map(|it| it.seq);
                    self.actors[actor].has.extend(last.map(|seq| (room.clone(), seq)));
                    return;
                }
                self.actors[actor].has.insert(room.clone(), joined.seq);
                let members = Some(joined.members.nicknames.clone());
                let view = View { newest: joined.seq, members };
                self.views.insert(place(room), view);
            }
            _ => assert!(direct),
        }
    }

    pub(super) fn newest(&self, room: &RoomName) -> u64 {
        let is_recalled = self.rules.has_archive && room.as_str() == ROOMS[2];
        let recalled = if is_recalled { RECALLED_SEQ } else { 0 };
        self.said_after(room, 0).last().map_or(0, |it| it.seq).max(recalled)
    }
}
