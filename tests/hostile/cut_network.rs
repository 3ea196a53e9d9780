//! Clients whose network goes away without a word, as when somebody pulls a plug.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::{FREE_PORTS, Load, LoadGroup, ServerProcess, chinwag_under, connect};
use tungstenite::{Message, WebSocket};

/// The server is on one side of two cables, the clients on the other. One cable is cut.
struct Network {
    name: String,
}

/// Which of the two cables.
#[derive(Clone, Copy)]
enum Cable {
    Kept = 1,
    Cut = 2,
}

impl Network {
    /// Its own name and its own addresses, so that several may run on one machine.
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

    /// Names of interfaces have 15 characters at most.
    fn end(&self, cable: Cable, side: char) -> String {
        format!("cw{}{side}{}", std::process::id(), cable as u8)
    }

    /// Of 198.18.0.0/15, which is set aside for tests of networks (RFC 2544).
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
fn who_is_cut_off_is_gone_from_the_room() {
    const PEOPLE: usize = 80;
    const CUT_OFF: usize = 20;
    /// Pinged after 25 s of silence, and gone 10 s later.
    const GONE_WITHIN: Duration = Duration::from_secs(36);
    let network = Network::lay();
    let program = ServerProcess::start(
        chinwag_under(&["ip", "netns", "exec", &network.name])
            .args(FREE_PORTS)
            .args(["--max-clients-per-address", "0"]),
    );
    let at = |cable| SocketAddr::new(network.address(cable, 2), program.websocket().port());
    let mut group = LoadGroup::join(at(Cable::Kept), PEOPLE);
    let threads = program.threads();
    // Half of them where people talk, so that what they are sent is missed, and half where nobody
    // does, so that only their silence is.
    let nobody_talks = |number: usize| number % 2 == 1;
    let cut_off: Vec<_> = (0..CUT_OFF)
        .map(|number| {
            let room = if nobody_talks(number) { "silent" } else { "lobby" };
            connect(at(Cable::Cut), &format!("/?nick=guest-{number}&room={room}")).unwrap()
        })
        .collect();
    let mut witness = connect(at(Cable::Kept), "/?nick=witness&room=silent").unwrap();
    group.run(Load { per_second: 20, seconds: 1, text_bytes: 50 });
    assert_eq!(program.threads(), threads + CUT_OFF + 1);

    network.ip(&["link", "set", &network.end(Cable::Cut, 'n'), "down"]);
    let since = Instant::now();
    let seen_in_silence = std::thread::spawn(move || {
        let mut gone = Vec::new();
        while gone.len() < CUT_OFF / 2 {
            // The witness answers pings by reading.
            if let Message::Text(line) = read_for(&mut witness, GONE_WITHIN * 2) {
                assert!(line.ends_with(" has left."), "{line}");
                gone.push(since.elapsed());
            }
        }
        gone
    });
    // Everybody else goes on as if nothing had been: nobody is missed, and nobody misses anything.
    let heard = group.run(Load { per_second: 20, seconds: 38, text_bytes: 50 });
    let mut gone = seen_in_silence.join().expect("everybody in the silent room is announced");
    for number in (0..CUT_OFF).filter(|number| !nobody_talks(*number)) {
        let at = heard.received_at(&format!(" .... guest-{number} has left."));
        gone.push(at.expect("everybody is announced").duration_since(since));
    }
    let (first, last) = (gone.iter().min().unwrap(), gone.iter().max().unwrap());
    println!("{CUT_OFF} were cut off, and gone from the room after {first:.1?} to {last:.1?}");
    assert!(*last <= GONE_WITHIN, "the last was there for {last:?}");
    assert_eq!(program.threads(), threads, "no thread is left, and the witness has gone");
    drop(cut_off);
}

fn read_for(socket: &mut WebSocket<TcpStream>, patience: Duration) -> Message {
    socket.get_ref().set_read_timeout(Some(patience)).unwrap();
    socket.read().expect("something comes in time")
}
