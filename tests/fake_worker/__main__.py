"""A worker without a client: it plays its script, counts what it hands over in its history, and records nothing.

`FAKE` in the settings makes it odd: `never` ends the step of that name, `dies` in it, `hands` over so many at once.
"""

import json
import os
import struct
import sys
import threading
import time

control_in, control_out = int(sys.argv[2]), int(sys.argv[4])
commands = os.fdopen(control_in)
config = json.loads(commands.readline())
odd = config["settings"].get("FAKE", {})
words, stopping, released = set(), threading.Event(), threading.Event()
count = 0


def say(kind, **keys):
    os.write(control_out, (json.dumps(dict(keys, type=kind)) + "\n").encode())


def listen():
    for line in commands:
        command = json.loads(line)
        if command["cmd"] == "word":
            words.add(command["word"])
        elif command["cmd"] == "go_on":
            released.set()
        elif command["cmd"] == "stop":
            stopping.set()
    os._exit(70)


def hand_over(messages):
    global count
    count += messages
    with open(config["history"], "r+b") as file:
        file.seek(32)
        file.write(struct.pack("<QQ", count, time.monotonic_ns()))


def until(condition):
    while not condition() and not stopping.is_set():
        time.sleep(0.005)


def stand(moment):
    say("phase", stands=True, **moment)
    if not odd.get("hurries"):
        released.wait(5)
    say("phase", stands=False, **moment)


def play(step):
    do = step["do"]
    if odd.get("never") == do:
        until(lambda: False)
    elif do == "take":
        hand_over(step["count"])
        for moment in config.get("stands") or ():
            stand(moment)
    elif do == "tell":
        say("told", word=step["word"])
    elif do in ("wait", "read"):
        until(lambda: step.get("word", step.get("until")) in words)
    elif do == "sleep":
        time.sleep(step["s"])


with open(config["history"], "wb") as file:
    file.write(bytes(4096))
threading.Thread(target=listen, daemon=True).start()
say("hello", pid=os.getpid())
with open(config["history"] + ".config", "w") as file:
    json.dump(config, file)
why = "script"
if config["script"] is None:
    hand_over(min(odd.get("hands", 1), config["stop_after"] or 10**9))
    why = "stop_after" if config["stop_after"] else "end_offsets"
    if odd.get("never") == "loop":
        until(lambda: False)
for number, step in enumerate(config["script"] or (), 1):
    if stopping.is_set():
        break
    say("step", number=number, do=step["do"])
    if odd.get("dies") == step["do"]:
        os._exit(3)
    play(step)
say("closing", why=why)
say("ended", why="stop" if stopping.is_set() else why, deliveries=count)
