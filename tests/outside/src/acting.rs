//! The calls of a handle that act on clients and rooms.

use std::time::Duration;

use chinwag::crossbeam_channel::select;
use chinwag::{CallError, Event, LeaveReason, Nickname, RoomName, Server};
use tungstenite::Message;

use crate::clients::{DEADLINE, Json, Outcome, connect, event_where};
use crate::config;

pub fn acting() -> Outcome {
    let server = Server::bind(&config())?;
    let handle = server.handle();
    let (lobby, attic) = (RoomName::lobby(), RoomName::parse("attic")?);
    let bot = Nickname::parse("bot")?;
    handle.enter(&bot, &lobby)?;
    handle.set_motd(Some("welcome"))?;
    let events = server.events(100);
    let running = server.start()?;
    let address = handle.websocket_addresses()[0];

    let mut ana = Json::connect(address, "/")?;
    ana.send(r#"{"type":"hello","nick":"ana"}"#)?;
    ana.receive(r#""type":"welcome""#)?;
    ana.receive(r#"{"type":"notice","text":"welcome","level":"info"}"#)?;
    ana.send(r#"{"type":"join","room":"lobby"}"#)?;
    ana.receive(r#""members":["bot","ana"]"#)?;
    let client = handle.clients()?[0].clone();
    assert_eq!((&client.rooms, client.address.is_loopback()), (&vec![lobby.clone()], true));
    let counts = handle.counts()?;
    assert_eq!((counts.clients, counts.users, counts.rooms, counts.messages), (1, 2, 1, 0));

    handle.announce(Some(&lobby), "to the lobby")?;
    assert!(handle.notify(client.id, "to ana")?);
    assert!(handle.tell(client.id, &bot, "psst")?);
    for text in ["to the lobby", "to ana", r#""from":"bot","to":"ana""#] {
        ana.receive(text)?;
    }
    ana.send(r#"{"type":"tell","to":"bot","text":"yes?","id":"1"}"#)?;
    ana.receive(r#""text":"yes?""#)?;
    let private = event_where(&events, |event| matches!(event, Event::Private { .. }))?;
    assert!(matches!(private, Event::Private { to, text, .. } if to == bot && text == "yes?"));

    assert!(handle.mute(client.id, Duration::from_secs(60))?);
    ana.send(r#"{"type":"say","room":"lobby","text":"hello","id":"2"}"#)?;
    ana.receive(r#""code":"muted""#)?;
    assert!(handle.unmute(client.id)?);

    assert!(handle.rename(client.id, &Nickname::parse("anna")?)?);
    assert_eq!(handle.rename(client.id, &bot), Err(CallError::NicknameTaken));
    ana.receive(r#"{"type":"renamed","from":"ana","to":"anna""#)?;
    assert!(handle.join(client.id, &attic)?);
    ana.receive(r#"{"type":"joined","room":"attic""#)?;
    assert!(handle.part(client.id, &lobby)?);
    ana.receive(r#"{"type":"parted","room":"lobby"}"#)?;
    assert!(handle.leave(&bot, &lobby)?);
    let left = event_where(&events, |event| matches!(event, Event::Left { .. }))?;
    assert!(matches!(left, Event::Left { room, reason: LeaveReason::Closed, .. } if room == lobby));

    assert_eq!(handle.close(client.id, 1001, ""), Err(CallError::CloseCode(1001)));
    assert!(handle.close(client.id, 4321, "lunch")?);
    assert_eq!(ana.close_frame()?, (4321, "lunch".to_owned()));

    let mut carl = connect(address, "/?nick=carl")?;
    event_where(&events, |event| matches!(event, Event::Joined { .. }))?;
    handle.ban(client.address, None)?;
    let Message::Close(Some(frame)) = carl.read()? else { return Err("no close frame".into()) };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4009, "banned"));
    assert_eq!(handle.bans(), [(client.address, None)]);
    assert!(connect(address, "/").is_err());
    assert!(handle.unban(client.address));
    connect(address, "/")?;

    // With the macro of the library, so that a program needs no dependency of its own.
    let refused = loop {
        select! {
            recv(events.receiver()) -> event => match event? {
                Event::Refused { status, .. } => break status,
                _ => {}
            },
            default(DEADLINE) => return Err("no event of a refusal".into()),
        }
    };
    assert_eq!(refused, 403);
    Ok(running.stop()?)
}
