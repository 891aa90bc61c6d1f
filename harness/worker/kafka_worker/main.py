"""One worker from its first line of control to its last, or several, each in a thread."""

import argparse
import faulthandler
import os
import platform
import signal
import sys
import threading
import time
import traceback

import adapters
from kafka_worker.application import Application, perform_now
from kafka_worker.attentive import attentive
from kafka_worker.clock import now_ns
from kafka_worker.consuming import consumption_of
from kafka_worker.control import EXIT_HARNESS_GONE, Control, Interrupter, StopLoop, stop_on_signals
from kafka_worker.hiding import keep_secret
from kafka_worker.loops import run_loop
from kafka_worker.payload import Payload
from kafka_worker.producing import Production
from kafka_worker.raising import Raised
from kafka_worker.reading import LogProgress, write_log_ends
from kafka_worker.recorder import DiskError, Recorder, segment_bytes_for
from kafka_worker.script import Script, scripted
from kafka_worker.threads import serve_in_threads

EXIT_CLIENT_ERROR = 1
EXIT_DISK = 74
WHOLE_FETCH_ROWS = 400 * 1000


def main(argv):
    parser = argparse.ArgumentParser(prog="worker")
    parser.add_argument("--control-in", type=int, action="append", required=True)
    parser.add_argument("--control-out", type=int, action="append", required=True)
    args = parser.parse_args(argv)
    faulthandler.enable()
    # For a worker that does not answer to `stack`: what holds the interpreter stands still meanwhile.
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    controls = [Control(*ends) for ends in zip(args.control_in, args.control_out)]
    stop_on_signals(controls)
    return serve(controls[0]) if len(controls) == 1 else serve_in_threads(serve, controls)


def serve(control):
    """One worker, from its configuration on; returns its exit status."""
    config = control.read_config()
    if config is None:
        return EXIT_HARNESS_GONE
    keep_secret(config["connection"])
    control.listen()
    try:
        adapter = adapters.load(config["client"])
        versions = dict(adapter.versions(), python=platform.python_version())
        control.send(dict(versions, type="hello", pid=os.getpid(), thread=threading.get_ident()))
        return ROLES[config["role"]](config, control, adapter)
    except DiskError as error:
        control.send({"type": "error", "where": "history", "error": str(error), "fatal": True})
        control.send({"type": "ended", "why": "error"})
        # Without the client's own close(), which would commit what could not be recorded; at once, for its threads.
        sys.stderr.flush()
        os._exit(EXIT_DISK)


def describe(error):
    """An exception as one line; the whole of it goes to the log."""
    traceback.print_exc()
    text = str(error) or repr(error)
    return "%s: %s" % (type(error).__name__, text)


def make_recorder(config):
    if config["record"] == "off":
        return None
    rows = (config.get("batch") or {}).get("max_records")
    if rows is None and config.get("api") in ("getmany", "poll"):
        # Without a limit of its own a call may hand over all that was fetched.
        rows = WHOLE_FETCH_ROWS if config["api"] == "getmany" else None
    meta = {name: config.get(name) for name in ("worker", "role", "run_id", "client", "api", "record", "partitions")}
    meta["group"] = config.get("group")
    if config["role"] == "produce":
        meta["producer"] = config["produce"]["producer"]
    if config["role"] == "read_log":
        meta["isolation"] = config.get("isolation") or "read_uncommitted"
    return Recorder(config["history"], meta, segment_bytes_for(rows or 0))


def make_payload(config):
    payload = config["payload"]
    return Payload(config["run_id"], payload["seed"], payload["size_bytes"], payload["pool"])


def consume(config, control, adapter):
    """Join, loop, close: what an application does, and each step an event before it is done."""
    recorder = make_recorder(config)
    payload = make_payload(config)
    if recorder is not None:
        recorder.event({"type": "member", "member": config["worker"], "state": "join"})
    cpu_from, wall_from = time.process_time(), now_ns()
    script = config.get("script")
    client = make_client(adapter.Consumer, config, control, start=script is None)
    if client is None:
        return EXIT_CLIENT_ERROR
    consumption = consumer_of(config)(config, control, recorder, payload, client)
    if client.waits_for_ever and not client.asynchronous:
        Interrupter(control)
    why = guarded_loop(consumption, lambda _: None, run_loop if script is None else Script(consumption, script).run)
    client_at_end(consumption, why)
    ended = consumption.figures(cpu_from, wall_from)
    closed_ns = now_ns()
    control.send({"type": "closing", "why": why})
    if not close_client(consumption):
        why = "error"
    if recorder is not None:
        if consumption.owned:
            partitions = list(consumption.owned)
            consumption.event({"type": "revoke", "member": config["worker"], "partitions": partitions})
        consumption.event({"type": "member", "member": config["worker"], "state": "leave"})
        recorder.close()
    ended.update(type="ended", why=why, close_s=(now_ns() - closed_ns) / 1e9)
    control.send(ended)
    return EXIT_CLIENT_ERROR if why == "error" else 0


def consumer_of(config):
    """The class for a consumer's mode, with what its script and its application need."""
    kind = consumption_of(config)
    if config.get("script") is not None:
        return scripted(kind)
    return attentive(kind) if config.get("listen") or Application(config).active else kind


def make_client(make, config, control, start=True):
    """The client object, subscribed if it is to be, or None when it could not be made (which was told)."""
    try:
        client = make(config)
        control.send({"type": "settings", "effective": client.effective})
        if start:
            client.start()
    except Exception as error:
        control.send({"type": "error", "where": "start", "error": describe(error), "fatal": True})
        control.send({"type": "ended", "why": "error"})
        return None
    return client


def guarded_loop(consumption, progress, run=run_loop):
    """The loop's own end, or "error" when the client raised: an application of the documented kind ends there too."""
    try:
        why = run(consumption, progress)
    except StopLoop:
        why = "stop"
    except DiskError:
        raise
    except Raised:
        # The application's own doing: it closes its client, and has not finished with what it had in hand.
        consumption.given_up = True
        why = "raised"
    except Exception as error:
        consumption.control.quiet = True
        consumption.client_error(consumption.calling or consumption.client.call, describe(error), fatal=True)
        why = "error"
    consumption.control.quiet = True
    return why


def client_at_end(consumption, why):
    """Everything handed over has been processed; nothing follows but the close."""
    consumption.events_of_client()
    consumption.finish()
    if consumption.recorder is not None:
        if why != "error":
            consumption.observe()
        if why != "raised":
            consumption.event({"type": "processed", "member": consumption.worker})
    if why not in ("error", "raised") and consumption.application is not None:
        perform_now(consumption, consumption.application.closing(consumption.client.assignment()))


def close_client(consumption):
    try:
        consumption.client.close()
    except Exception as error:
        consumption.client_error("close", describe(error), fatal=False)
        return False
    finally:
        consumption.events_of_client()
    return True


def read_log(config, control, adapter):
    """The independent reader: every partition from its beginning to its end."""
    recorder = make_recorder(dict(config, record="loss", api=config.get("api") or "getmany"))
    payload = make_payload(config)
    cpu_from, wall_from = time.process_time(), now_ns()
    client = make_client(adapter.Consumer, dict(config, group=None), control)
    if client is None:
        return EXIT_CLIENT_ERROR
    bounds = {}
    consumption = consumption_of(config)(config, control, recorder, payload, client)

    def start_and_progress(reading, watch=LogProgress()):
        return watch(reading)

    try:
        bounds = client.bounds()
    except Exception as error:
        consumption.client_error("bounds", describe(error), fatal=True)
        why = "error"
    else:
        if not consumption.ends.known:
            consumption.ends.learn({partition: end for partition, (_, end) in bounds.items()})
        why = guarded_loop(consumption, start_and_progress)
    control.quiet = True
    write_log_ends(consumption, bounds)
    ended = consumption.figures(cpu_from, wall_from)
    close_client(consumption)
    recorder.event({"type": "member", "member": config["worker"], "state": "leave"})
    recorder.close()
    ended.update(type="ended", why=why)
    control.send(ended)
    return EXIT_CLIENT_ERROR if why == "error" else 0


def produce(config, control, adapter):
    recorder = make_recorder(dict(config, record="loss"))
    payload = make_payload(config)
    cpu_from, wall_from = time.process_time(), now_ns()
    client = make_client(adapter.Producer, config, control)
    if client is None:
        return EXIT_CLIENT_ERROR
    recorder.event({"type": "producer", "idempotent": bool(client.idempotent)})
    production = Production(config, control, recorder, payload, client)
    try:
        why = production.run()
    except DiskError:
        raise
    except Exception as error:
        text = describe(error)
        recorder.event({"type": "error", "where": client.call, "error": text})
        control.send({"type": "error", "where": client.call, "error": text, "fatal": True})
        why = "error"
    control.quiet = True
    production.finish()
    recorder.event({"type": "producer_end"})
    recorder.close()
    control.send(dict(production.figures(cpu_from, wall_from), type="ended", why=why))
    return EXIT_CLIENT_ERROR if why == "error" else 0


ROLES = {"consume": consume, "read_log": read_log, "produce": produce}
