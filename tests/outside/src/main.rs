//! Calls every public function of the library, and checks the results.
//!
//! A test compares the calls with `tests/public_api.txt`. It looks for the methods of `Handle` as
//! `handle.say(…)` or `Handle::say`, and likewise for `Server`, `Running` and `Events`.

mod acting;
mod clients;
mod deciding;
mod serving;
mod storing;

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chinwag::history::{Durability, HistoryConfig};
use chinwag::{
    CallError, ClientId, Config, Dialect, Event, Events, Handle, HistoryLimits, HostName, Limits,
    MessageKind, Nickname, NoEvent, Origin, Request, RoomName, RunError, Server, StartError,
    Stopped,
};
use clients::{DEADLINE, Outcome, connect, event_where};
use tungstenite::Message;

fn main() -> Outcome {
    configuration()?;
    names()?;
    before_the_start()?;
    a_client()?;
    on_the_calling_thread()?;
    deciding::hooks()?;
    acting::acting()?;
    serving::pages()?;
    serving::one_port_and_a_path()?;
    serving::listeners()?;
    serving::connections()?;
    storing::messages()?;
    storing::a_file()?;
    storing::a_store()
}

/// Ports that are free, on this machine alone.
fn config() -> Config {
    Config::default().bind([Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0)
}

fn configuration() -> Outcome {
    let second = Duration::from_secs(1);
    let memory = HistoryLimits::default().lines_max(10).bytes_max(10_000).idle_rooms_max(1);
    let limits = Limits::default()
        .text_bytes_max(100)
        .burst(5)
        .per_second(NonZeroU32::new(2))
        .history(memory)
        .grace(second)
        .hello_within(second)
        .ping_after(second)
        .pong_within(second)
        .stall_max(second)
        .backlog_bytes_max(100_000)
        .close_within(second)
        .head_within(second);
    assert_eq!((limits.text_bytes_max, limits.history), (100, memory));
    let file = HistoryConfig::new("chat.db")
        .durability(Durability::Machine)
        .keep(Duration::from_secs(24 * 60 * 60))
        .deletion_notice(second)
        .keep_messages(NonZeroU64::new(1000));
    let config = config()
        .host_names(vec!["chat.example.org".parse::<HostName>()?])
        .allowed_origins(vec!["http://example.org".parse::<Origin>()?])
        .clients_max(NonZeroUsize::new(10))
        .clients_per_address_max(None)
        .limits(limits)
        .history(file);
    assert_eq!(config.bind, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
    assert_eq!(config.clients_max, NonZeroUsize::new(10));
    assert_eq!(config.history.map(|it| it.path), Some(PathBuf::from("chat.db")));
    Ok(())
}

fn names() -> Outcome {
    let ana = Nickname::parse("ana")?;
    assert_eq!((ana.as_str(), &ana), ("ana", &"ana".parse()?));
    assert!(Nickname::parse("user-1").is_err());
    assert_eq!(RoomName::parse("Kitchen")?.as_str(), "kitchen");
    assert_eq!(RoomName::lobby().as_str(), "lobby");
    Ok(())
}

fn before_the_start() -> Outcome {
    let server = Server::bind(&config())?;
    let (page, websocket) = (server.page_addresses()[0], server.websocket_addresses()[0]);
    assert!(page.port() != 0 && websocket.port() != 0 && page != websocket);
    let in_use = Server::bind(&config().page_port(page.port()));
    assert!(matches!(in_use, Err(StartError::PortInUse(address)) if address == page));
    let clock = Nickname::parse("clock")?;
    server.reserve(&clock)?;
    server.say(&RoomName::lobby(), &clock, "good morning")?;
    let events = server.events(100);
    let running = server.start()?;
    let handle = running.handle();
    assert_eq!(
        (handle.page_addresses(), handle.websocket_addresses()),
        (&[page][..], &[websocket][..])
    );
    assert_eq!(handle.reachable_page_addresses(), [page]);
    assert_eq!(handle.reachable_websocket_addresses(), [websocket]);
    assert!(handle.clients_max() > 0);
    // A client cannot have the nickname of the embedder.
    let _client = connect(websocket, "/?nick=clock")?;
    assert_ne!(joined(&events)?.1, clock);
    running.stop()?;
    assert!(events.last().is_some_and(|event| matches!(event, Event::Close { code: 1001, .. })));
    Ok(())
}

fn a_client() -> Outcome {
    let running = Server::bind(&config())?.start()?;
    let handle = running.handle();
    let events = handle.events(100);
    assert_eq!(events.try_next(), Err(NoEvent::Timeout));
    let mut socket = connect(handle.websocket_addresses()[0], "/chat?nick=ana&room=kitchen")?;
    let Event::Open { address, dialect, request, .. } = events.recv_timeout(DEADLINE)? else {
        return Err("the first event is no opening".into());
    };
    assert!(address.is_loopback() && dialect == Dialect::Plain);
    check_request(&request);
    let (client, ana) = joined(&events)?;
    let kitchen = RoomName::parse("kitchen")?;
    let rooms = handle.rooms()?;
    assert_eq!((&rooms[0].name, &rooms[0].members), (&kitchen, &vec![ana.clone()]));

    socket.send(Message::text("hello"))?;
    assert_eq!(socket.read()?.to_text()?, "ana: hello");
    let Event::Message { nickname, text, kind, seq, .. } = events.recv_timeout(DEADLINE)? else {
        return Err("no message".into());
    };
    assert_eq!((nickname, text.as_str(), kind, seq), (ana.clone(), "hello", MessageKind::Say, 1));
    let cook = Nickname::parse("cook")?;
    handle.say(&kitchen, &cook, "soup is ready")?;
    assert_eq!(socket.read()?.to_text()?, "cook: soup is ready");
    assert_eq!(handle.reserve(&ana), Err(CallError::NicknameTaken));

    assert!(handle.kick(client, "lunch is over")?);
    let Message::Close(Some(frame)) = socket.read()? else { return Err("no close frame".into()) };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4009, "lunch is over"));
    assert!(!handle.kick(client, "again")?);
    handle.stop();
    running.join()?;
    assert_eq!(handle.rooms(), Err(Stopped));
    Ok(())
}

fn check_request(request: &Request) {
    assert_eq!((request.path(), request.query()), ("/chat", Some("nick=ana&room=kitchen")));
    assert!(request.header("Host").is_some_and(|host| host.starts_with("127.0.0.1:")));
    assert!(request.headers().any(|(name, value)| (name, value) == ("upgrade", b"websocket")));
}

fn on_the_calling_thread() -> Outcome {
    let server = Server::bind(&config())?;
    let (ready, started) = mpsc::channel::<Handle>();
    let stopping = thread::spawn(move || started.recv_timeout(DEADLINE).map(|it| it.stop()));
    let ended: Result<(), RunError> = server.run(move |handle| {
        let _ = ready.send(handle);
    });
    ended?;
    Ok(stopping.join().map_err(|_| "the thread panicked")??)
}

/// Waits until a client has joined a room. Returns its id and nickname.
fn joined(events: &Events) -> Outcome<(ClientId, Nickname)> {
    match event_where(events, |event| matches!(event, Event::Joined { .. }))? {
        Event::Joined { client, nickname, .. } => Ok((client, nickname)),
        event => Err(format!("{event:?}").into()),
    }
}
