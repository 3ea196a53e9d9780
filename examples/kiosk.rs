//! A kiosk with its own page: one room, and no names to choose: `cargo run --example kiosk`.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use chinwag::{
    Admission, Config, Hooks, Nickname, PageFiles, Refusal, Requester, RoomName, Server,
};

/// The page. Its script is a plain client: each frame is a line of text.
const PAGE: &[u8] = br#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Kiosk</title>
<style>
  body { font: 1.5rem sans-serif; max-width: 30em; margin: auto; padding: 1em }
  input, button { font: inherit }
  form { position: sticky; bottom: 0; background: white; padding-block: 1em }
</style>
<h1>Kiosk</h1>
<div role="log"></div>
<form><input aria-label="Message" required> <button disabled>Send</button></form>
<script type="module">
  const [log, form, input, button] =
    ["div", "form", "input", "button"].map((name) => document.querySelector(name));
  const show = (text) => {
    const line = document.createElement("p");
    line.textContent = text;
    log.append(line);
    if (log.childElementCount > 200) log.firstChild.remove();
    scrollTo(0, document.body.scrollHeight);
  };
  const socket = new WebSocket(location.origin.replace("http", "ws"));
  socket.onopen = () => (button.disabled = false);
  socket.onmessage = ({ data }) => show(data);
  socket.onclose = ({ reason }) => {
    button.disabled = true;
    show(`The connection is closed. ${reason}`);
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    socket.send(input.value);
    form.reset();
  };
</script>
"#;

struct Kiosk {
    room: RoomName,
    visitors: AtomicU64,
}

impl Hooks for Kiosk {
    /// Numbers the visitors, and puts them into the room.
    fn admit(&self, _: &Requester<'_>) -> Result<Admission, Refusal> {
        let number = self.visitors.fetch_add(1, Ordering::Relaxed) + 1;
        let nickname = Nickname::parse(&format!("visitor {number}"));
        let nickname = nickname.map_err(|error| Refusal::new(500, error.to_string()))?;
        Ok(Admission::default().nickname(nickname).rooms([self.room.clone()]))
    }

    fn join(&self, _: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        if *room == self.room { Ok(()) } else { Err(format!("the only room is {}", self.room)) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let kiosk = Kiosk { room: "kiosk".parse()?, visitors: AtomicU64::new(0) };
    let page = PageFiles::embedded([("index.html", PAGE)]);
    let config = Config::default().one_port(0).page(page).hooks(kiosk);
    let running = Server::bind(&config)?.start()?;
    println!("open http://localhost:{}/", running.handle().page_addresses()[0].port());
    running.join()?;
    Ok(())
}
