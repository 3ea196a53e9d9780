"""A client in Python (pip install websockets): chat.py ws://localhost:12345/ lobby ana"""
import contextlib, json, sys, threading, time, uuid, websockets.sync.client
url, room, nick = sys.argv[1:]
me, unsaid, may_say = {"nick": nick, "room": room}, None, threading.Event()
breaks = contextlib.suppress(OSError, websockets.WebSocketException)

def ask(type, members):
    socket.send(json.dumps({**members, "type": type, "ref": type}))

def speak():
    global unsaid
    for line in sys.stdin:
        unsaid = {"room": room, "text": line.rstrip("\n"), "id": str(uuid.uuid4())}
        while may_say.wait() and (say := unsaid):  # With the same id, however often.
            may_say.clear()
            with breaks:
                ask("say", say)
    may_say.wait()
    socket.close()

def hear(event):
    global unsaid
    if event["type"] == "joined" or event.get("seq", 0) > me.get("after", 0):
        for message in event.get("messages", [event]):
            print(f"{message['nick']}: {message['text']}", flush=True)
        last = event["messages"][-1] if event.get("more") else event
        me.update(epoch=event.get("epoch", me.get("epoch")), after=last["seq"])
    if event["type"] == "welcome":
        me["session"] = event["session"]
    if event["type"] == "welcome" or event.get("more"):  # What was missed may come in parts.
        ask("join", me)
    elif event["type"] == "joined":
        may_say.set()
    elif "retry_ms" in event and event["ref"] == "say":
        threading.Timer(event["retry_ms"] / 1000, may_say.set).start()
    elif "retry_ms" in event:
        time.sleep(event["retry_ms"] / 1000)
        ask(event["ref"], me)
    elif unsaid and event.get("id") == unsaid["id"]:
        unsaid = None
        may_say.set()
    if event["type"] == "error" and "retry_ms" not in event:
        print(event["message"], file=sys.stderr)

speaker = threading.Thread(target=speak, daemon=True)
speaker.start()
while speaker.is_alive():
    with breaks, websockets.sync.client.connect(url, subprotocols=["chinwag.v1"]) as socket:
        ask("hello", me)
        for event in map(json.loads, socket):
            hear(event)
    may_say.clear()
    if socket.close_code in (1002, 1007, 1009):  # That was refused for good.
        unsaid = None
    speaker.join(1)  # Seconds until the next connection.
