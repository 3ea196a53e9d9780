//! The hooks.

use chinwag::{
    Admission, CommandHelp, Dialect, Draft, Hooks, Invocation, MessageKind, Nickname, Recipient,
    Refusal, Requester, RoomName, Server, Verdict,
};
use tungstenite::HandshakeError;

use crate::clients::{Json, Outcome, connect, tcp};
use crate::config;

/// Lets in `/?token=ana` alone, as `ana`, in the room `desk`.
struct Policy;

impl Hooks for Policy {
    fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
        assert!(requester.address.is_loopback() && requester.nickname.is_none());
        if requester.request.query() != Some("token=ana") {
            return Err(Refusal::new(401, "Log in first.").challenge("Basic realm=\"chat\""));
        }
        let nickname = Nickname::parse("ana").map_err(|_| Refusal::new(500, "A wrong name."))?;
        let desk = RoomName::parse("desk").map_err(|_| Refusal::new(500, "A wrong room."))?;
        Ok(Admission::default().nickname(nickname).session("a secret of ana").rooms([desk]))
    }

    fn join(&self, _: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        if room.as_str() == "attic" { Err("the attic is closed".to_owned()) } else { Ok(()) }
    }

    fn message(&self, requester: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        assert_eq!(requester.dialect, Dialect::Json);
        let is_for_desk = matches!(draft.to, Recipient::Room(room) if room.as_str() == "desk");
        assert!(is_for_desk && draft.kind == MessageKind::Say);
        match draft.text {
            "refuse" => Verdict::Refuse("not that".to_owned()),
            "swallow" => Verdict::Swallow,
            "shout" => Verdict::SayInstead("SHOUT".to_owned()),
            _ => Verdict::Say,
        }
    }

    fn commands(&self) -> Vec<CommandHelp> {
        CommandHelp::new("uptime", "how long the server has run").into_iter().collect()
    }

    fn command(
        &self,
        requester: &Requester<'_>,
        command: &Invocation<'_>,
    ) -> Result<Option<String>, String> {
        assert_eq!((command.name, command.room.as_str()), ("uptime", "desk"));
        let clients = requester.handle.clients().map_err(|error| error.to_string())?;
        assert_eq!(clients[0].id, requester.client);
        Ok(Some(format!("a minute {}", command.arguments)))
    }
}

pub fn hooks() -> Outcome {
    let config = config().hooks(Policy).hook_stack_bytes(64 * 1024);
    let running = Server::bind(&config)?.start()?;
    let address = running.handle().websocket_addresses()[0];

    let refused = tungstenite::client(format!("ws://{address}/?token=bo"), tcp(address)?);
    let Err(HandshakeError::Failure(tungstenite::Error::Http(response))) = refused else {
        return Err("the request is let in".into());
    };
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"chat\"");

    let mut ana = Json::connect(address, "/?token=ana")?;
    ana.send(r#"{"type":"hello"}"#)?;
    ana.receive(r#""commands":[{"name":"uptime","help":"how long the server has run"}]"#)?;
    ana.receive(r#"{"type":"joined","room":"desk""#)?;
    ana.send(r#"{"type":"join","room":"attic"}"#)?;
    ana.receive("the attic is closed")?;
    let say = |text: &str, id: &str| {
        format!(r#"{{"type":"say","room":"desk","text":"{text}","id":"{id}"}}"#)
    };
    ana.send(&say("refuse", "1"))?;
    ana.receive("not that")?;
    ana.send(&say("swallow", "2"))?;
    ana.receive(r#"{"type":"handled","id":"2""#)?;
    ana.send(&say("shout", "3"))?;
    ana.receive(r#""text":"SHOUT""#)?;
    ana.send(r#"{"type":"command","room":"desk","text":"uptime or two","id":"4"}"#)?;
    ana.receive("a minute or two")?;

    assert!(connect(address, "/?nick=ana").is_err());
    assert!(CommandHelp::new("Up time", "").is_none());
    Ok(running.stop()?)
}
