//! Clients whose network fails without a sign, as when a cable is pulled.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::{FREE_PORTS, Load, LoadGroup, ServerProcess, chinwag_under, connect};
use tungstenite::{Message, WebSocket};

/// A network with two cables between the server and the clients. The test cuts one of them.
struct Network {
    name: String,
}

#[derive(Clone, Copy)]
enum Cable {
    Kept = 1,
    Cut = 2,
}

impl Network {
    /// Lays the cables. Names and addresses are derived from the process, so that several tests can
    /// run on one machine.
    fn lay() -> Self {
        let network = Self { name: format!("chinwag-{}", std::process::id()) };
        network.ip(&["netns", "add", &network.name]);
        network.inside(&["link", "set", "lo", "up"]);
        for cable in [Cable::Kept, Cable::Cut] {
            let (near, far) = (network.end(cable, 'n'), network.end(cable, 'f'));
            network.ip(&["link", "add", &near, "type", "veth", "peer", "name", &far]);
            network.ip(&["link", "set", &far, "netns", &network.name]);
            let address = |host| format!("{}/30", network.address(cable, host));
            network.ip(&["address", "add", &address(1), "dev", &near]);
            network.inside(&["address", "add", &address(2), "dev", &far]);
            network.ip(&["link", "set", &near, "up"]);
            network.inside(&["link", "set", &far, "up"]);
        }
        network
    }

    /// Returns the name of an interface. It has 15 characters at most.
    fn end(&self, cable: Cable, side: char) -> String {
        format!("cw{}{side}{}", std::process::id(), cable as u8)
    }

    /// Returns an address of 198.18.0.0/15, which is for tests of networks (RFC 2544).
    fn address(&self, cable: Cable, host: u8) -> IpAddr {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let net = Ipv4Addr::new(198, 18 | (cable as u8 - 1), high, low & !3);
        Ipv4Addr::from_bits(net.to_bits() | u32::from(host)).into()
    }

    fn ip(&self, arguments: &[&str]) {
        let status = Command::new("ip").args(arguments).status().expect("ip is installed");
        assert!(status.success(), "ip {arguments:?}: this test lays cables, and must be root");
    }

    fn inside(&self, arguments: &[&str]) {
        self.ip(&[&["-netns", &self.name], arguments].concat());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cables go with it.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

#[test]
fn clients_behind_a_cut_cable_leave_the_room() {
    const MEMBERS: usize = 80;
    const CUT_OFF: usize = 20;
    /// A ping follows 25 s of silence, and the end 10 s later.
    const GONE_WITHIN: Duration = Duration::from_secs(36);
    let network = Network::lay();
    let program = ServerProcess::start(
        chinwag_under(&["ip", "netns", "exec", &network.name])
            .args(FREE_PORTS)
            .args(["--max-clients-per-address", "0"]),
    );
    let at = |cable| SocketAddr::new(network.address(cable, 2), program.websocket().port());
    let mut group = LoadGroup::join(at(Cable::Kept), MEMBERS);
    let threads = program.threads();
    // Half of them are in a room with traffic, where the server notices unsent bytes, and half in a
    // silent one, where it notices the silence.
    let is_silent = |number: usize| number % 2 == 1;
    let cut_off: Vec<_> = (0..CUT_OFF)
        .map(|number| {
            let room = if is_silent(number) { "silent" } else { "lobby" };
            connect(at(Cable::Cut), &format!("/?nick=guest-{number}&room={room}")).unwrap()
        })
        .collect();
    let mut observer = connect(at(Cable::Kept), "/?nick=observer&room=silent").unwrap();
    group.run(Load { per_second: 20, seconds: 1, text_bytes: 50 });
    assert_eq!(program.threads(), threads + CUT_OFF + 1);

    network.ip(&["link", "set", &network.end(Cable::Cut, 'n'), "down"]);
    let since = Instant::now();
    let seen_in_silent_room = std::thread::spawn(move || {
        let mut gone = Vec::new();
        while gone.len() < CUT_OFF / 2 {
            // The observer answers pings by reading.
            if let Message::Text(line) = read_within(&mut observer, GONE_WITHIN * 2) {
                assert!(line.ends_with(" has left."), "{line}");
                gone.push(since.elapsed());
            }
        }
        gone
    });
    // All other clients stay and receive every text.
    let heard = group.run(Load { per_second: 20, seconds: 38, text_bytes: 50 });
    let mut gone = seen_in_silent_room.join().expect("each client of the silent room is announced");
    for number in (0..CUT_OFF).filter(|number| !is_silent(*number)) {
        let at = heard.received_at(&format!(" .... guest-{number} has left."));
        gone.push(at.expect("each is announced").duration_since(since));
    }
    let (first, last) = (gone.iter().min().unwrap(), gone.iter().max().unwrap());
    println!("{CUT_OFF} were cut off, and gone from the room after {first:.1?} to {last:.1?}");
    assert!(*last <= GONE_WITHIN, "the last was there for {last:?}");
    assert_eq!(program.threads(), threads, "no thread is left, and the observer has gone");
    drop(cut_off);
}

fn read_within(socket: &mut WebSocket<TcpStream>, patience: Duration) -> Message {
    socket.get_ref().set_read_timeout(Some(patience)).unwrap();
    socket.read().expect("something comes in time")
}
