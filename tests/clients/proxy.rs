//! A network between clients and a server that can be broken.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// Forwards bytes. Its threads end with their connections, and the one that accepts ends with the
/// test.
pub struct Proxy {
    pub address: SocketAddr,
    /// Both ends of every connection since the last cut. The thread that accepts adds to it while
    /// the test removes from it.
    streams: Arc<Mutex<Vec<TcpStream>>>,
    /// Whether a new connection is closed at once.
    is_down: Arc<AtomicBool>,
}

impl Proxy {
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = streams.clone();
        let is_down = Arc::new(AtomicBool::new(false));
        let refuses = is_down.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if refuses.load(Ordering::Acquire) {
                    continue;
                }
                let far = TcpStream::connect(server).unwrap();
                kept.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                pass_on(near.try_clone().unwrap(), far.try_clone().unwrap());
                pass_on(far, near);
            }
        });
        Self { address, streams, is_down }
    }

    /// Breaks every connection, on both sides. Bytes on their way are lost.
    pub fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Breaks every connection, also new ones until `mend`.
    pub fn cut_off(&self) {
        self.is_down.store(true, Ordering::Release);
        self.cut();
    }

    pub fn mend(&self) {
        self.is_down.store(false, Ordering::Release);
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
