#!/usr/bin/env python3
"""Two builds of hotline under the same load, in turns: `pair.py OLD NEW LINES`, as root, on two quiet cores.

On a shared host a second of CPU does up to twice as much as another, and that changes by the minute. So each turn is a few seconds, OLD
and NEW follow one another, and who is first changes each time. The cores are kept awake (awake.c), which leaves a third of the scatter.

Both servers run at once, on addresses of their own; the one that is not measured has no work but its timers. Callers who only wait cannot
be turned off: few of them wait at both servers and are measured in the same seconds, many of them at one server after the other. Each turn
adds a line to the file LINES, of the shape of bench.py's.

PAIR_CASES, a regular expression, chooses cases by their names: `q 2000`, `w 500 talk`, `m 1000`, `recorded q 500`.
"""
import atexit
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path

import bench

ROUNDS = 2
CONFIG = "configs/bench.toml"
CORE_OF_SERVERS, CORE_OF_LOAD = 0, 1
# What of the configuration is an address, and the last byte of each server's own.
SERVER, CALLER, AGENT = "127.0.0.10", "127.0.0.1", "127.0.0.2"
BYTES = {"old": (10, 11, 12), "new": (20, 21, 22)}
CALLER_RTP, AGENT_RTP = 30000, 32000
# Seconds that a queued call's turn sends calls, and how many turns there are beside the first, which warms up.
CALLS_SECS, CALLS_TURNS = 3, 8
# Seconds that a turn with media takes, after so many in which the flow settles.
WINDOW, WARM, MEDIA_TURNS = 4, 1, 4
# Callers of media cases arrive so fast, a second, and then have so many seconds to be up.
RAMP, SETTLE = 100, 4
# More callers than this cannot wait at both servers at once: the core would be full.
TOGETHER_MAX = 1000


class House:
    """A running server with a network of its own, and what bench.py must know about it."""

    def __init__(self, name, binary, work, records):
        self.name = name
        self.server, self.caller, self.agent = (f"127.0.0.{byte}" for byte in BYTES[name])
        text = Path(CONFIG).read_text()
        # The longest first: the server's address begins with the caller's.
        for old, new in ((SERVER, self.server), (f"{AGENT}:", f"{self.agent}:"), (f"{CALLER}/", f"{self.caller}/")):
            if old not in text:
                sys.exit(f"{CONFIG} does not name {old}: set the addresses of pair.py right")
            text = text.replace(old, new)
        text += f'[http]\nbind = "{self.server}:8120"\n'
        if records:
            directory = tempfile.mkdtemp(dir=work)
            text += f'[events]\ndirectory = "{directory}"\n[store]\nfile = "{directory}/hotline.db"\n'
        config = Path(work, f"{name}.toml")
        config.write_text(text)
        self.log = Path(work, f"{name}.log")
        # Under this name the quiet of a line does not count it as somebody else's work.
        program = Path(tempfile.mkdtemp(dir=work), "hotline")
        program.symlink_to(binary)
        command = ["taskset", "-c", str(CORE_OF_SERVERS), program, "serve", "--config", config]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log.open("a"))
        time.sleep(1.5)
        self.check()

    def arguments(self, user, **more):
        """The arguments that bench.py's functions take."""
        return Namespace(
            server=f"{self.server}:5060", caller=f"{self.caller}:5070", agent=f"{self.agent}:7000", pid=self.process.pid, user=user,
            caller_rtp=CALLER_RTP, agent_rtp=AGENT_RTP, server_cpu=CORE_OF_SERVERS, load_cpu=CORE_OF_LOAD, timeout=20000, **more)

    def check(self):
        if self.process.poll() is not None:
            sys.exit(f"the server {self.name} has ended by itself:\n{self.log.read_text()[-2000:]}")

    def stop(self):
        self.check()
        self.process.terminate()
        self.process.wait()


class Pair:
    def __init__(self, binaries, work, lines):
        self.binaries, self.work, self.lines = binaries, work, lines
        self.turn = 0

    @contextmanager
    def houses(self, *names, records=False):
        """Servers of these builds, or of both; the one that started first takes more or less CPU, so both are first in their turn."""
        running = [House(name, self.binaries[name], self.work, records) for name in names or self.in_turns(["old", "new"])]
        yield running
        for house in running:
            house.stop()

    def in_turns(self, both):
        """Both of them, and whoever came second the last time comes first."""
        self.turn += 1
        return both if self.turn % 2 else both[::-1]

    def directory(self):
        return tempfile.mkdtemp(dir=self.work)

    def add(self, house, case, kind, compilers, **told):
        line = {"case": case, "tag": f"{house.name}-{kind}", "at": time.strftime("%H:%M:%S"), "compilers_seen": compilers} | told
        with open(self.lines, "a") as file:
            file.write(json.dumps(line) + "\n")
        subprocess.run([sys.executable, Path(__file__).with_name("table.py"), "--line"], input=json.dumps(line), text=True, check=True)

    def calls(self, rate, kind):
        """Signalling of queued calls."""
        with self.houses(records=kind == "recorded") as both:
            for turn in range(1 + CALLS_TURNS):
                for house in self.in_turns(both):
                    found = bench.q(house.arguments("q", rate=rate, secs=CALLS_SECS, hold=100), self.directory())
                    if turn:
                        self.add(house, "q", kind, bench.compilers(), **found)

    def waiting(self, number, kind):
        """Callers who hear music; those of the kind `talk` send as well."""
        if number > TOGETHER_MAX:
            for _ in range(2):
                for name in self.in_turns(["old", "new"]):
                    with self.houses(name) as alone:
                        self.wait(alone, number, kind)
        else:
            with self.houses() as both:
                self.wait(both, number, kind)

    def wait(self, houses, number, kind):
        def window(house, directory):
            sends = [house.server, f"{directory}/A"] if kind == "talk" else []
            given = house.arguments("w")
            memory, _ = bench.rss(given.pid)
            found, used = bench.tool(given, directory, "sink", f"{house.caller}:{CALLER_RTP}", WARM, WINDOW, *sends, span=bench.Span(given))
            share = round(100 * used["cpu_pct"] / max(found["streams"], 1), 3)
            per_call = round((memory - idle[house.name]) / number, 1)
            return dict(n=number, cpu_pct_per_100=share, rss_kb_per_call=per_call, rtp=found, **used)

        idle = {house.name: bench.rss(house.process.pid)[0] for house in houses}
        # Something must own the callers' port while they come, or the server is told that nobody is there.
        sinks = [f"{house.caller}:{CALLER_RTP}" for house in houses]
        secs = number / RAMP + SETTLE
        owners = [subprocess.Popen(["taskset", "-c", str(CORE_OF_LOAD), f"{bench.HERE}/rtpbench", "sink", sink, "0", str(secs - 0.8)],
                                   stdout=subprocess.DEVNULL) for sink in sinks]
        with self.callers(houses, "w", number, MEDIA_TURNS * (WARM + WINDOW + 1)) as directories:
            for owner in owners:
                owner.wait()
            for _ in range(MEDIA_TURNS):
                found = at_once([lambda house=house: window(house, directories[house.name]) for house in houses])
                for house, told in zip(houses, found):
                    self.add(house, "w", kind, bench.compilers(), **told)

    def talking(self, number):
        """Calls whose media the server relays."""
        def window(house, directory):
            given = house.arguments("m")
            a, b = (f"{directory}/{side}" for side in "AB")
            args = ("duplex", f"{house.caller}:{CALLER_RTP}", f"{house.agent}:{AGENT_RTP}", house.server, a, b, WARM, WINDOW)
            found, used = bench.tool(given, directory, *args, span=bench.Span(given))
            return dict(k=number, cpu_pct_per_100=round(100 * used["cpu_pct"] / number, 3), rtp=found, **used)

        with self.houses() as both, self.callers(both, "m", number, 2 * MEDIA_TURNS * (WARM + WINDOW + 2)) as directories:
            for _ in range(MEDIA_TURNS):
                for house in self.in_turns(both):
                    self.add(house, "m", "hotline", bench.compilers(), **window(house, directories[house.name]))

    @contextmanager
    def callers(self, houses, user, number, secs):
        """So many callers at each server, for at least so long; where the ports of their media stand, by server."""
        hold = int(1000 * (number / RAMP + SETTLE + secs))
        played, directories = [], {}
        for house in houses:
            directory = directories[house.name] = self.directory()
            given = house.arguments(user)
            agents = bench.agents(given, directory, "agent_log.xml") if user == "m" else None
            if agents:
                time.sleep(0.7)
            log = ["-trace_logs", "-log_file", f"{directory}/caller.log"]
            caller = bench.caller(given, directory, "caller_hold.xml", user, RAMP, number, hold, *log)
            played.append((house, directory, caller, agents))
        for house, directory, caller, agents in played:
            if not bench.up(house.arguments(user), directory, number, caller, number / RAMP + SETTLE):
                sys.exit(f"not all of {number} callers came up at {house.name}; see {house.log}:\n{house.log.read_text()[-2000:]}")
        time.sleep(1)
        for house, directory, caller, agents in played:
            for side, log in (("A", "caller"), ("B", "agent")):
                Path(directory, side).write_text("\n".join(bench.ports(f"{directory}/{log}.log")))
        yield directories
        for house, directory, caller, agents in played:
            caller.wait(hold / 1000 + 30)
            bench.fin(agents)
            failed = int(bench.stat(directory, "caller").get("FailedCall(C)", 0))
            if failed:
                sys.exit(f"{failed} of {number} calls failed at {house.name}")


def at_once(works):
    """What each of them returns, all of them run in the same seconds."""
    found = [None] * len(works)

    def run(index):
        found[index] = works[index]()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def end_children():
    """Servers and SIPp do not outlive a play that went wrong."""
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


def main():
    atexit.register(end_children)
    old, new, lines = sys.argv[1:]
    work = os.environ["BENCH_TMP"]
    pair = Pair({"old": old, "new": new}, work, lines)
    cases = [(f"q {rate}", lambda rate=rate: pair.calls(rate, "hotline")) for rate in (200, 500, 2000)]
    cases += [("recorded q 500", lambda: pair.calls(500, "recorded"))]
    cases += [(f"w {number}", lambda number=number: pair.waiting(number, "hotline")) for number in (100, 500, 2500)]
    cases += [("w 500 talk", lambda: pair.waiting(500, "talk"))]
    cases += [(f"m {number}", lambda number=number: pair.talking(number)) for number in (100, 300, 1000, 1300, 1500)]
    chosen = [(name, play) for name, play in cases if re.search(os.environ.get("PAIR_CASES", "."), name)]
    if not chosen:
        sys.exit(f"PAIR_CASES chooses none of: {', '.join(name for name, _ in cases)}")
    os.sched_setaffinity(0, {CORE_OF_LOAD})
    for core in (CORE_OF_SERVERS, CORE_OF_LOAD):
        subprocess.Popen(["chrt", "-i", "0", "taskset", "-c", str(core), f"{bench.HERE}/awake"])
    for turn in range(1, ROUNDS + 1):
        print(f"round {turn} of {ROUNDS}", flush=True)
        for name, play in chosen:
            print(name, flush=True)
            play()


main()
