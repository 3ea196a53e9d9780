//! The model: the expected people, memberships and messages.

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::super::delivery_model::DeliveryModel;
use super::super::*;
use super::{RESTORED, RESTORED_SEQ, ROOMS, USERS};

/// How long an ended session is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// A user, over all connections and sessions.
#[derive(Default)]
pub(super) struct ModelUser {
    pub(super) client: Option<ClientId>,
    pub(super) is_plain: bool,
    pub(super) session: Option<Token>,
    /// The number of the newest message that the user has of each room.
    pub(super) newest: BTreeMap<RoomName, u64>,
}

/// The expected state of a person.
pub(super) struct ModelPerson {
    pub(super) nickname: Nickname,
    pub(super) session: Option<Token>,
    pub(super) client: Option<ClientId>,
    pub(super) grace_until: Option<Instant>,
    pub(super) has_closed: bool,
    pub(super) memberships: BTreeMap<RoomName, ModelMember>,
}

/// The expected state of a membership.
pub(super) struct ModelMember {
    pub(super) arrival: usize,
    pub(super) away: Option<LeaveReason>,
    /// The client has not got all that it missed, and gets no new messages yet.
    pub(super) is_catching_up: bool,
    pub(super) typed: Option<Instant>,
}

/// The state of a room according to the notices that a client got.
pub(super) struct View {
    pub(super) newest: u64,
    /// `None` for a plain client, which gets no members.
    pub(super) members: Option<Vec<Nickname>>,
}

/// The chat under test, and the state that it should have.
pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) chat: Chat,
    pub(super) random: StdRng,
    pub(super) now: Now,
    pub(super) delivery_model: DeliveryModel,
    pub(super) users: [ModelUser; USERS],
    pub(super) views: BTreeMap<(ClientId, RoomName), View>,
    pub(super) clients_count: u64,
    pub(super) people: Vec<ModelPerson>,
    pub(super) arrivals: usize,
    pub(super) ended: HashMap<Token, (Instant, Nickname)>,
    /// The messages of each session by their ids, as they were delivered.
    pub(super) receipts: HashMap<(Token, Id), Notice>,
    /// The messages of each room, in their order.
    pub(super) messages: BTreeMap<RoomName, Vec<Arc<Message>>>,
    /// Minimum number of messages of each room that must still be in memory.
    pub(super) in_memory: BTreeMap<RoomName, usize>,
    /// The arrivals and departures that a step must cause.
    pub(super) expected: Vec<Notice>,
    /// The newest message that the joining client claims to have.
    pub(super) since: Option<Since>,
}

fn restored(room: &RoomName, seq: u64) -> Arc<Message> {
    let (room, nickname) = (room.clone(), Nickname::parse("keeper").unwrap());
    let text = Text::parse("before", 100).unwrap();
    Arc::new(Message { room, seq, time: 0, nickname, text, id: None, kind: Kind::Say })
}

pub(super) fn look_alike(a: &Nickname, b: &Nickname) -> bool {
    a.lookalike_keys().iter().any(|key| b.lookalike_keys().contains(key))
}

impl Model {
    pub(super) fn new(rules: Rules) -> Self {
        let (mut chat, mut messages) = (Chat::new(rules.clone()), BTreeMap::new());
        if rules.has_archive {
            let attic = RoomName::parse(ROOMS[2]).unwrap();
            let left = RESTORED.map(|seq| restored(&attic, seq));
            messages.insert(attic.clone(), left.to_vec());
            let skipped = left.len().saturating_sub(rules.history.lines_max);
            chat.restore(attic, RESTORED_SEQ, left[skipped..].to_vec());
        }
        Self {
            chat,
            rules,
            random: StdRng::seed_from_u64(1),
            now: Now { instant: Instant::now(), unix_ms: 0 },
            delivery_model: DeliveryModel::default(),
            users: Default::default(),
            views: BTreeMap::new(),
            clients_count: 0,
            people: vec![],
            arrivals: 0,
            ended: HashMap::new(),
            receipts: HashMap::new(),
            messages,
            in_memory: BTreeMap::new(),
            expected: vec![],
            since: None,
        }
    }

    /// Returns the connection of a user that has one.
    pub(super) fn client_of(&self, user: usize) -> ClientId {
        self.users[user].client.unwrap()
    }

    /// Applies a command, and returns its deliveries without carrying them out.
    pub(super) fn apply(&mut self, client: ClientId, command: Command) -> Vec<Delivery> {
        let mut out = vec![];
        self.chat.apply(
            client,
            command,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        out.into_iter().map(|delivery| self.look_up(delivery)).collect()
    }

    /// Completes a lookup from the model.
    fn look_up(&mut self, delivery: Delivery) -> Delivery {
        let Delivery::Lookup { client, lookup: Lookup::Read(read) } = delivery else {
            return delivery;
        };
        assert!(self.rules.has_archive && read.is_incomplete());
        let mut read = read;
        if let Some(after) = read.batch_after() {
            let following: Vec<_> = self.messages_after(&read.room, after).cloned().collect();
            read = match read.complete_batch(following.into_iter()) {
                Ok(notice) => return Delivery::Reply { client, notice },
                Err(read) => read,
            };
        }
        let messages = self.messages.get(&read.room).map_or(&[][..], |messages| messages);
        let older = messages.iter().filter(|it| it.seq < read.before).rev();
        let older: Vec<_> = older.take(read.missing()).cloned().collect();
        let (room, after) = (read.room.clone(), read.batch_after());
        let notice = read.complete(older.into_iter());
        if let (Some(after), true) = (after, HistoryRead::is_empty_batch(&notice)) {
            self.chat.record_gap(client, &room, after);
        }
        Delivery::Reply { client, notice }
    }

    /// Returns the messages of a room after a number, without those that an earlier run lost.
    pub(super) fn messages_after(
        &self,
        room: &RoomName,
        after: u64,
    ) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.get(room).into_iter().flatten().filter(move |it| it.seq > after)
    }

    pub(super) fn connect(&mut self, user: usize, is_plain: bool) -> ClientId {
        self.clients_count += 1;
        let client = ClientId(self.clients_count);
        let user = &mut self.users[user];
        (user.client, user.is_plain) = (Some(client), is_plain);
        self.chat.connect(client, Network::UNKNOWN);
        client
    }

    /// Adds a person that the chat has welcomed as new, and checks its nickname.
    pub(super) fn add_person(
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
        let memberships = BTreeMap::new();
        let client = Some(client);
        let (grace_until, has_closed) = (None, false);
        self.people.push(ModelPerson {
            nickname,
            session,
            client,
            grace_until,
            has_closed,
            memberships,
        });
    }

    pub(super) fn is_free(&self, nickname: &Nickname, except: Option<usize>) -> bool {
        let mut others = self.people.iter().enumerate().filter(|(index, _)| Some(*index) != except);
        !others.any(|(_, person)| look_alike(&person.nickname, nickname))
    }

    pub(super) fn person(&self, client: ClientId) -> usize {
        self.people.iter().position(|it| it.client == Some(client)).expect("it is connected")
    }

    pub(super) fn is_here(&self, client: ClientId, room: &RoomName) -> bool {
        let membership = self.people[self.person(client)].memberships.get(room);
        membership.is_some_and(|membership| membership.away.is_none())
    }

    /// Adds a membership, or marks the person as back.
    pub(super) fn add_member(&mut self, client: ClientId, room: &RoomName) {
        let person = self.person(client);
        let until = self.now.instant + self.rules.grace;
        let person = &mut self.people[person];
        // A client that comes back joins its rooms one by one. Each join extends the grace.
        if person.memberships.values().any(|membership| membership.away.is_some()) {
            person.grace_until = Some(until);
        }
        if let Some(membership) = person.memberships.get_mut(room) {
            membership.away = None;
            return;
        }
        self.arrivals += 1;
        let membership =
            ModelMember { arrival: self.arrivals, away: None, is_catching_up: false, typed: None };
        person.memberships.insert(room.clone(), membership);
        let nickname = person.nickname.clone();
        self.expected.push(Notice::Arrived { room: room.clone(), nickname });
    }

    /// Removes memberships, and expects one departure for each.
    pub(super) fn expect_left(
        &mut self,
        person: usize,
        reason: Option<LeaveReason>,
        which: impl Fn(&RoomName, &ModelMember) -> bool,
    ) {
        let person = &mut self.people[person];
        let nickname = person.nickname.clone();
        person.memberships.retain(|room, membership| {
            if !which(room, membership) {
                return true;
            }
            let reason = reason.or(membership.away).expect("a reason to leave");
            let (room, nickname) = (room.clone(), nickname.clone());
            self.expected.push(Notice::Left { room, nickname, reason });
            false
        });
    }

    /// Marks a person as away in all its rooms.
    pub(super) fn mark_away(&mut self, person: usize, reason: LeaveReason) {
        if self.rules.grace.is_zero() {
            self.people[person].grace_until = None;
            return self.expect_left(person, Some(reason), |_, _| true);
        }
        self.people[person].grace_until = Some(self.now.instant + self.rules.grace);
        for membership in self.people[person].memberships.values_mut() {
            membership.away.get_or_insert(reason);
        }
    }

    pub(super) fn leave(&mut self, client: ClientId, reason: LeaveReason) {
        let person = self.person(client);
        self.people[person].client = None;
        let has_session = self.people[person].session.is_some();
        self.people[person].has_closed = reason == LeaveReason::Closed;
        if reason == LeaveReason::Closed || !has_session {
            self.expect_left(person, Some(reason), |_, _| true);
            self.people[person].grace_until = None;
        }
        if has_session {
            self.mark_away(person, reason);
        }
        if self.people[person].grace_until.is_none() {
            self.end_session(person);
        }
        let user = self.users.iter_mut().find(|user| user.client == Some(client));
        user.expect("the client has a user").client = None;
        self.views.retain(|(other, _), _| *other != client);
        self.leave_chat(client, reason);
        // The second call must do nothing.
        self.leave_chat(client, reason);
    }

    /// Removes a client from the chat as the broadcaster does.
    pub(super) fn leave_chat(&mut self, client: ClientId, reason: LeaveReason) {
        self.delivery_model.remove(client);
        let mut out = vec![];
        self.chat.leave(
            client,
            reason,
            &mut Turn { now: self.now, random: &mut self.random, out: &mut out },
        );
        self.carry_out(&out);
    }

    fn end_session(&mut self, person: usize) {
        let ModelPerson { nickname, session, .. } = self.people.remove(person);
        // A session without receipts is not remembered.
        let session = session.filter(|it| self.receipts.keys().any(|(other, _)| other == it));
        self.ended.extend(session.map(|session| (session, (self.now.instant, nickname))));
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now.instant += Duration::from_millis(ms);
        self.now.unix_ms += ms;
        let now = self.now.instant;
        for person in (0..self.people.len()).rev() {
            if self.people[person].grace_until.is_some_and(|until| until <= now) {
                self.people[person].grace_until = None;
                self.expect_left(person, None, |_, membership| membership.away.is_some());
                if self.people[person].client.is_none() {
                    self.end_session(person);
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
                self.check_room_notice(room, notice);
            }
            for (client, notice) in self.delivery_model.carry_out(delivery, &self.chat) {
                let direct = !matches!(delivery, Delivery::Room { .. });
                self.receive(client, &notice, direct);
            }
            if let Delivery::Enters { client, room } = delivery {
                self.views.remove(&(*client, room.clone()));
                let person = &self.people[self.person(*client)];
                if person.session.is_none() {
                    let view = View { newest: self.newest(room), members: None };
                    self.views.insert((*client, room.clone()), view);
                }
            }
        }
    }

    /// Checks a notice for a room: a message has the next number, others are expected.
    fn check_room_notice(&mut self, room: &RoomName, notice: &Notice) {
        let Notice::Message(message) = notice else {
            let position = self.expected.iter().position(|expected| expected == notice);
            self.expected.remove(position.unwrap_or_else(|| panic!("unexpected: {notice:?}")));
            return;
        };
        assert_eq!((&message.room, message.seq), (room, self.newest(room) + 1));
        self.messages.entry(room.clone()).or_default().push(message.clone());
        let in_memory = self.in_memory.entry(room.clone()).or_default();
        *in_memory = (*in_memory + 1).min(self.rules.history.lines_max);
        if let Some(id) = &message.id {
            let client = self.people.iter().find(|person| person.nickname == message.nickname);
            let client = client.and_then(|person| person.client).expect("the sender is connected");
            self.record_receipt(client, id.clone(), notice);
        }
    }

    /// Returns the message that the session of a client sent with this id.
    pub(super) fn original(&self, client: ClientId, id: &Id) -> Option<Notice> {
        let session = self.people[self.person(client)].session?;
        self.receipts.get(&(session, id.clone())).cloned()
    }

    pub(super) fn record_receipt(&mut self, client: ClientId, id: Id, notice: &Notice) {
        let session = self.people[self.person(client)]
            .session
            .expect("a message of a plain client has no id");
        let before = self.receipts.insert((session, id), notice.clone());
        assert_eq!(before, None, "a message is sent once");
    }

    pub(super) fn newest(&self, room: &RoomName) -> u64 {
        let is_restored = self.rules.has_archive && room.as_str() == ROOMS[2];
        let restored = if is_restored { RESTORED_SEQ } else { 0 };
        self.messages_after(room, 0).last().map_or(0, |it| it.seq).max(restored)
    }
}
