#!/usr/bin/env python3
"""What the referee's lines come to.

  table.py FILE     the medians of all rounds beside the aims; exit code 1 when an aim is missed
  table.py --pair FILE   the medians of two binaries beside each other; exit code 1 when a new one is worse by more than a tenth
  table.py --line   one line of JSON from standard input, in short
  table.py --well   exit code 1 when a call of the line on standard input failed, or its p99 was 100 ms or more

A line during which a compiler ran, or somebody else took more than a twentieth of a core, is left out if others of its kind are left.
"""
import json
import statistics
import sys


def ok_rate(line):
    return line["ok"] / line["secs"]


# name, which lines (tag, case, number), what of a line, aim (None: told only), digits
ROWS = [
    ("a queued call's signalling, CPU ms, at 200/s", ("hotline", "q", 200), "cpu_ms_per_call", 0.4, 3),
    ("... at 500/s", ("hotline", "q", 500), "cpu_ms_per_call", 0.4, 3),
    ("... at 2,000/s", ("hotline", "q", 2000), "cpu_ms_per_call", 0.4, 3),
    ("calls that failed of 2,000/s on one core, %", ("hotline", "q", 2000), "fail_pct", 0.0, 2),
    ("INVITE to 200 with free agents at 500/s, p50 ms", ("hotline", "q", 500), "inv200_ms_p50", 1, 1),
    ("... p99 ms", ("hotline", "q", 500), "inv200_ms_p99", 4, 1),
    ("a quarter of a core: calls/s at its peak", ("peak", "q", None), ok_rate, None, 0),
    ("... still succeed at three times that", ("beyond", "q", None), ok_rate, None, 0),
    ("100 callers waiting with music, % of a core (of 100)", ("hotline", "w", 100), "cpu_pct_per_100", 3, 2),
    ("... of 500", ("hotline", "w", 500), "cpu_pct_per_100", 3, 2),
    ("... of 500, their phones sending too", ("talk", "w", 500), "cpu_pct_per_100", 5, 2),
    ("2,500 waiting on one core: % of a core per 100", ("hotline", "w", 2500), "cpu_pct_per_100", 3, 2),
    ("... packets on their way, %", ("hotline", "w", 2500), lambda line: -line["rtp"]["pct"], -99.5, 2),
    ("memory per waiting caller (of 500), KiB", ("hotline", "w", 500), "rss_kb_per_call", 24, 1),
    ("100 bridged calls, % of a core (of 100)", ("hotline", "m", 100), "cpu_pct_per_100", 8, 2),
    ("... of 300", ("hotline", "m", 300), "cpu_pct_per_100", 7, 2),
    ("... of 1,000", ("hotline", "m", 1000), "cpu_pct_per_100", 5.5, 2),
    ("... of 1,300", ("hotline", "m", 1300), "cpu_pct_per_100", 5.5, 2),
    ("1,500 bridged on one core: packets lost, %", ("hotline", "m", 1500), lambda line: line["rtp"]["loss_pct"], 0.5, 2),
    ("... p99 of the delay, ms", ("hotline", "m", 1500), lambda line: line["rtp"]["lat_ms_p99"], 10, 1),
    ("with event log and store, CPU ms a call at 500/s", ("recorded", "q", 500), "cpu_ms_per_call", None, 3),
    ("Kamailio (routes only), CPU ms a call at 200/s", ("kamailio", "q", 200), "cpu_ms_per_call", None, 3),
    ("... at 500/s", ("kamailio", "q", 500), "cpu_ms_per_call", None, 3),
    ("... at 2,000/s", ("kamailio", "q", 2000), "cpu_ms_per_call", None, 3),
    ("... INVITE to 200 at 500/s, p50 ms", ("kamailio", "q", 500), "inv200_ms_p50", None, 1),
    ("... p99 ms", ("kamailio", "q", 500), "inv200_ms_p99", None, 1),
    ("Kamailio and rtpengine, 100 bridged, % of a core (of 100)", ("rtpengine", "m", 100), "cpu_pct_per_100", None, 2),
    ("... of 300", ("rtpengine", "m", 300), "cpu_pct_per_100", None, 2),
    ("... of 1,000", ("rtpengine", "m", 1000), "cpu_pct_per_100", None, 2),
]
# At three times the peak so much of it still succeeds.
OVERLOAD_AIM = 0.9


def number_of(line):
    return {"q": line.get("rate"), "w": line.get("n"), "m": line.get("k")}[line["case"]]


def quiet(line):
    own = ("kamailio", "rtpengine", "hotline")
    foreign = sum(share for name, share in line["foreign_pct"].items() if name not in own)
    return line["compilers_seen"] == 0 and foreign < 5


def values(lines, which, what):
    tag, case, number = which
    kind = [line for line in lines if line["tag"] == tag and line["case"] == case and number in (None, number_of(line))]
    kind = [line for line in kind if quiet(line)] or kind
    return [what(line) if callable(what) else line[what] for line in kind if callable(what) or line.get(what) is not None]


def table(path):
    with open(path) as file:
        lines = [json.loads(line) for line in file]
    missed = []
    print("| work | median | all | aim |\n|---|---|---|---|")
    medians = {}
    for name, which, what, aim, digits in ROWS:
        found = values(lines, which, what)
        if not found:
            print(f"| {name} | not measured | | {'' if aim is None else abs(aim)} |")
            if aim is not None:
                missed.append(name)
            continue
        median = statistics.median(found)
        medians[which, name] = median
        shown = " ".join(f"{abs(value):.{digits}f}" for value in found)
        met = aim is None or median <= aim
        print(f"| {name} | {abs(median):.{digits}f} | {shown} | {'' if aim is None else abs(aim)}{'' if met else ' MISSED'} |")
        if not met:
            missed.append(name)
    peak, beyond = (values(lines, (tag, "q", None), ok_rate) for tag in ("peak", "beyond"))
    if peak and beyond:
        kept = statistics.median(beyond) / statistics.median(peak)
        print(f"| ... of the peak | {kept:.2f} | | {OVERLOAD_AIM}{'' if kept >= OVERLOAD_AIM else ' MISSED'} |")
        if kept < OVERLOAD_AIM:
            missed.append("overload")
    failed = [f"{line['tag']} {line['case']} {number_of(line)}" for line in lines
              if line["tag"] in ("hotline", "talk", "recorded") and (line.get("failed") or line.get("unfinished")) and number_of(line) != 1500]
    if failed:
        print("calls failed in:", ", ".join(failed))
        missed += failed
    loud = sum(not quiet(line) for line in lines)
    print(f"{len(lines)} runs, {loud} of them beside other work; aims missed: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


# By how much a new median may be worse than the old one; and what is too little to be told apart, by the digits that are shown.
WORSE_MAX = 1.1


def pair(path):
    with open(path) as file:
        lines = [json.loads(line) for line in file]
    worse = []
    print("| work | old | new | new / old |\n|---|---|---|---|")
    for name, (tag, case, number), what, _, digits in ROWS:
        both = [values(lines, (f"{which}-{tag}", case, number), what) for which in ("old", "new")]
        if not all(both):
            continue
        old, new = map(statistics.median, both)
        ratio = new / old if old else float("inf") if new else 1.0
        # What is better the greater it is, is negative here: packets on their way.
        much = (ratio < 1 / WORSE_MAX if old < 0 else ratio > WORSE_MAX) and new - old > 2 * 10**-digits
        print(f"| {name} | {abs(old):.{digits}f} | {abs(new):.{digits}f} | {ratio:.2f}{' WORSE' if much else ''} |")
        if much:
            worse.append(name)
    failed = [f"{line['tag']} {line['case']} {number_of(line)}" for line in lines
              if line["tag"].startswith("new-") and (line.get("failed") or line.get("unfinished")) and number_of(line) != 1500]
    loud = sum(not quiet(line) for line in lines)
    print(f"{len(lines)} runs, {loud} of them beside other work; worse: {', '.join(worse) or 'none'}; calls failed in: {', '.join(failed) or 'none'}")
    return 1 if worse or failed or not lines else 0


def line():
    told = json.loads(sys.stdin.read())
    rtp = told.get("rtp") or {}
    keys = ("cpu_ms_per_call", "inv200_ms_p50", "inv200_ms_p99", "cpu_pct_per_100", "rss_kb_per_call", "ok", "failed")
    words = [f"{key}={told[key]}" for key in keys if told.get(key) is not None]
    words += [f"{key}={rtp[key]}" for key in ("pct", "loss_pct", "lat_ms_p50", "lat_ms_p99") if key in rtp]
    print(f"  {told['at']} {told['tag']} {told['case']} {number_of(told):g}:", *words, "" if quiet(told) else f"NOT QUIET {told['foreign_pct']}")
    return 0


def well():
    told = json.loads(sys.stdin.read())
    return 1 if told.get("failed") or told.get("unfinished") or told["inv200_ms_p99"] >= 100 else 0


sys.exit({"--line": line, "--well": well, "--pair": lambda: pair(sys.argv[2])}.get(sys.argv[1], lambda: table(sys.argv[1]))())
