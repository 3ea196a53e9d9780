"""Runs Autobahn's cases against the server as an echo, and prints the cases that failed.

It leaves out 9 (large messages: the server limits them), 12 and 13 (compression: not supported).
"""

import asyncio
import re
import subprocess
import sys

from kosoku import FailureError, run_fuzzingclient

LEFT_OUT = ["9.*", "12.*", "13.*"]
SECONDS_MAX = 600


def main(program):
    arguments = ["--bind", "127.0.0.1", "--port", "0", "--ws-port", "0"]
    # All cases come from one address, without a pause.
    arguments += ["--max-clients-per-address", "0"]
    server = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        results = asyncio.run(cases(address_in(server.stdout)))
    finally:
        server.terminate()
        server.wait(timeout=10)
    bad = [case for case in results if not case.passed]
    for case in bad:
        print(f"case {case.case_id}: {case.behavior.value}. {case.result}")
        print(f"    close: {case.behavior_close.value}. {case.result_close}")
    print(f"{len(results) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad or not results else 0


def address_in(banner):
    for line in banner:
        if found := re.search(r"WebSocket:\s+(ws://[^/]+)/", line):
            return found.group(1)
    sys.exit("the server did not start")


async def cases(address):
    run = run_fuzzingclient(address, None, LEFT_OUT, concurrency=8)
    try:
        return await asyncio.wait_for(run, SECONDS_MAX)
    except FailureError as failure:
        return failure.results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
