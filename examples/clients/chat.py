"""A client in Python (pip install websockets): chat.py ws://localhost:12345/ lobby ana"""
import contextlib, json, sys, threading, time, uuid, websockets.sync.client
url, room, nick = sys.argv[1:]
# The members of hello and join. The server ignores those that a request does not use.
state, pending, may_send = {"nick": nick, "room": room}, None, threading.Event()
broken_connection = contextlib.suppress(OSError, websockets.WebSocketException)

def request(type, members):
    socket.send(json.dumps({**members, "type": type, "ref": type}))

def send_lines():
    global pending
    for line in sys.stdin:
        pending = {"room": room, "text": line.rstrip("\n"), "id": str(uuid.uuid4())}
        # Repeats have the same id, so that the server recognises them.
        while may_send.wait() and (message := pending):
            may_send.clear()
            with broken_connection:
                request("say", message)
    may_send.wait()
    socket.close()

def handle(event):
    global pending
    if event["type"] == "joined" or event.get("seq", 0) > state.get("after", 0):
        for message in event.get("messages", [event]):
            print(f"{message['nick']}: {message['text']}", flush=True)
        last = event["messages"][-1] if event.get("more") else event
        state.update(epoch=event.get("epoch", state.get("epoch")), after=last["seq"])
    if event["type"] == "welcome":
        state["session"] = event["session"]
    if event["type"] == "welcome" or event.get("more"):  # Missed messages may come in several parts.
        request("join", state)
    elif event["type"] == "joined":
        may_send.set()
    elif "retry_ms" in event and event["ref"] == "say":
        threading.Timer(event["retry_ms"] / 1000, may_send.set).start()
    elif "retry_ms" in event:
        time.sleep(event["retry_ms"] / 1000)
        request(event["ref"], state)
    elif pending and event.get("id") == pending["id"]:
        pending = None
        may_send.set()
    if event["type"] == "error" and "retry_ms" not in event:
        print(event["message"], file=sys.stderr)

sender = threading.Thread(target=send_lines, daemon=True)
sender.start()
while sender.is_alive():
    with broken_connection, websockets.sync.client.connect(url, subprotocols=["chinwag.v1"]) as socket:
        request("hello", state)
        for event in map(json.loads, socket):
            handle(event)
    may_send.clear()
    if socket.close_code in (1002, 1007, 1009):  # The message is refused for good.
        pending = None
    sender.join(1)  # Seconds until the next connection.
