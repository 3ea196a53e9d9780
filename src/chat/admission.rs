//! Admission: whether one more person or arrival in a room is within the quota.

use std::time::{Duration, Instant};

use super::command::CommandError;
use super::network::Network;
use super::room_name::RoomName;
use super::{Chat, Now, PersonId, Turn};

/// How long a client is asked to wait if the chat is full and no person is away.
pub(super) const WAIT_WHEN_FULL: Duration = Duration::from_secs(1);

impl Chat {
    /// Counts a new session of a network, and frees a place for its person.
    pub(super) fn admit_session(
        &mut self,
        network: Network,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        self.networks
            .take_session(network, turn.now.instant)
            .map_err(CommandError::rate_limited)?;
        self.free_place(network, turn)
    }

    /// Frees a place for one more person. People without a connection count, but they give way: the
    /// one whose grace ends first, of the same network, or of all if the chat is full.
    pub(super) fn free_place(
        &mut self,
        network: Network,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        self.free_place_in(network, turn)?;
        while self.people.len() >= self.rules.quota.people_max {
            self.remove_one_away(None, turn)?;
        }
        Ok(())
    }

    /// Frees a place for one more person of a network.
    pub(super) fn free_place_in(
        &mut self,
        network: Network,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        while self.networks.is_full(network) {
            self.remove_one_away(Some(network), turn)?;
        }
        Ok(())
    }

    fn remove_one_away(
        &mut self,
        network: Option<Network>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let gives_way = |(_, person): &&(Instant, PersonId)| {
            let person = &self.people[person];
            person.client.is_none() && network.is_none_or(|network| person.network == network)
        };
        let found = self.graces.iter().find(gives_way).copied();
        let (until, person) = found.ok_or_else(|| CommandError::rate_limited(WAIT_WHEN_FULL))?;
        self.end_grace(until, person, turn);
        Ok(())
    }

    /// Counts an arrival in a room, which may be a new one.
    pub(super) fn admit_to_room(
        &mut self,
        room: &RoomName,
        network: Network,
        now: Now,
    ) -> Result<(), CommandError> {
        self.networks.take_arrival(network, now.instant).map_err(CommandError::rate_limited)?;
        let network = self.counted(network);
        if self.rooms.admits(room, network) { Ok(()) } else { Err(CommandError::RoomsFull) }
    }

    /// Returns the network if networks are counted.
    pub(super) fn counted(&self, network: Network) -> Option<Network> {
        self.rules.quota.people_per_network_max.map(|_| network)
    }
}
