"""A client in Python (pip install websockets): chat.py ws://localhost:12345/ lobby ana"""
import contextlib, json, sys, threading, uuid, websockets.sync.client
url, room, nick = sys.argv[1:]
me, unsaid, may_say = {"nick": nick, "room": room}, None, threading.Event()
breaks = contextlib.suppress(OSError, websockets.WebSocketException)

def speak():
    global unsaid
    for line in sys.stdin:
        say = {"type": "say", "room": room, "text": line.rstrip("\n"), "id": str(uuid.uuid4())}
        unsaid = say
        while may_say.wait() and unsaid:  # With the same id, however often.
            may_say.clear()
            with breaks:
                socket.send(json.dumps(say))
    may_say.wait()
    socket.close()

speaker = threading.Thread(target=speak, daemon=True)
speaker.start()
while speaker.is_alive():
    with breaks, websockets.sync.client.connect(url, subprotocols=["chinwag.v1"]) as socket:
        socket.send(json.dumps({"type": "hello", **me}))
        me["session"] = json.loads(socket.recv())["session"]
        socket.send(json.dumps({"type": "join", **me}))
        may_say.set()
        for event in map(json.loads, socket):
            if event["type"] == "joined" or event.get("seq", 0) > me.get("after", 0):
                for message in event.get("messages", [event]):
                    print(f"{message['nick']}: {message['text']}", flush=True)
                me.update(epoch=event.get("epoch", me.get("epoch")), after=event["seq"])
            if event.get("code") == "rate_limited":
                threading.Timer(event["retry_ms"] / 1000, may_say.set).start()
            elif unsaid and event.get("id") == unsaid["id"]:
                unsaid = None
                may_say.set()
            if event["type"] == "error" and event["code"] != "rate_limited":
                print(event["message"], file=sys.stderr)
    may_say.clear()
    speaker.join(1)  # Seconds until the next connection.
