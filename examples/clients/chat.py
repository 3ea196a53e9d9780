"""A client in Python: python3 chat.py ws://localhost:12345/ lobby ana

It needs one package: pip install websockets. Each line is said when the one before it has come
back. A lost connection is mended, with nothing lost and nothing twice.
"""

import contextlib, json, sys, threading, time, uuid

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

LEAVE_IT = 4001, 4009  # Replaced by a newer connection, or kicked.
url, room, nick = sys.argv[1:]
me, since = {"nick": nick}, {}
place = None  # The connection, while it is in the room.
unsaid, lock = [], threading.RLock()


def ask(socket, type, **members):
    socket.send(json.dumps({"type": type, **members}))


def say_first():
    with lock, contextlib.suppress(WebSocketException):  # The next connection says it again.
        if place and unsaid == [None]:
            place.close()
        elif place and unsaid:
            ask(place, "say", room=room, **unsaid[0])


def done_with(id):
    with lock:
        if unsaid and unsaid[0] and unsaid[0]["id"] == id:
            unsaid.pop(0)
            say_first()


def add(line):
    with lock:
        unsaid.append(line)
        if len(unsaid) == 1:
            say_first()


def read():
    for line in sys.stdin:
        add({"text": line.rstrip("\n"), "id": str(uuid.uuid4())})
    add(None)  # The end, when all is said.


def show(message):
    if message["seq"] > since["after"]:
        since["after"] = message["seq"]
        print(f"{message['nick']}: {message['text']}", flush=True)
    done_with(message["id"])


def hear(socket, event):
    global place
    match event["type"]:
        case "welcome":
            me.update(nick=event["nick"], session=event["session"])
            ask(socket, "join", room=room, **since)
        case "joined":
            if since and not event["recovered"]:
                print("(something is missing here)", flush=True)
            if not event["recovered"]:
                since.update(epoch=event["epoch"], after=0)
            for message in event["messages"]:
                show(message)
            since["after"], place = event["seq"], socket
            say_first()
        case "message":
            show(event)
        case "error" if event["code"] == "rate_limited":
            threading.Timer(event["retry_ms"] / 1000, say_first).start()
        case "error":
            print(event["message"], file=sys.stderr)
            done_with(event.get("id"))


threading.Thread(target=read, daemon=True).start()
while unsaid != [None]:
    try:
        with connect(url, subprotocols=["chinwag.v1"]) as socket:
            ask(socket, "hello", **me)
            for frame in socket:
                hear(socket, json.loads(frame))
    except (OSError, WebSocketException) as error:
        place = None
        if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code in LEAVE_IT:
            sys.exit(error.rcvd.reason)
        time.sleep(1)
