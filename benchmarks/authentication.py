#!/usr/bin/env python3
"""Authenticated requests a second by stored tokens, what the check costs, and how soon a revoked token is refused.

`GET /api/v1/whoami` with tokens that take turns in an order no index knows: their first uses, each a look into the store, and
after that, from memory. The cost of the check is that of `GET /healthz` with a token, which is then checked, to the same route
without one, and to the same route with one in a header that nothing reads: what the bytes alone cost. Beside them a FastAPI
service that compares one static key. All take turns within each round.
"""

import contextlib
import http.client
import random
import threading
import time

import load_program as load
import report
import seeding
from report import factor, median, percentile, progress, whole
from static_key_service import KEY, service

from gateway import Gateway

SPREAD = 20_000


class TokenGateway(Gateway):
    """With `count` tokens in its store, and files of requests by them."""

    def __init__(self, count, chance):
        super().__init__(start=False, leases=1, extra=["--request-rate", "0"])
        self.start()
        self.stop()
        with seeding.Seeding(self.database, check=False, audit=False) as store:
            tokens = store.tokens(count)
        self.start()
        picked = chance.sample(tokens, min(count, SPREAD))
        self.asking = load.written(load.request("GET", "/api/v1/whoami", token=token) for token in picked)
        self.checked = load.written(load.request("GET", "/healthz", token=token) for token in picked)
        self.unread = load.written(f"GET\t/healthz\t\tX-Unread-Text: Bearer {token}" for token in picked)
        self.open = load.written([load.request("GET", "/healthz")])


def revocations(gateway, count):
    """Milliseconds from the start of each DELETE to the end of the last request that the token still got through, and to
    the DELETE's own answer, while another connection uses it without a pause."""
    last, answered = [], []
    for _ in range(count):
        made = gateway.ok("POST", "/api/v1/tokens", {"label": "revoked", "ttl": 600})
        good, refused = [0.0], threading.Event()

        def use(token=made["token"], good=good, refused=refused):
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
            while True:
                connection.request("GET", "/api/v1/whoami", headers={"Authorization": f"Bearer {token}"})
                response = connection.getresponse()
                response.read()
                if response.status == 401:
                    break
                good[0] = time.monotonic()
            connection.close()
            refused.set()

        user = threading.Thread(target=use)
        user.start()
        while not good[0]:
            time.sleep(0.001)
        begun = time.monotonic()
        assert gateway.call("DELETE", f"/api/v1/tokens/{made['id']}").status == 204
        answered.append((time.monotonic() - begun) * 1000)
        assert refused.wait(10), "a revoked token is still good"
        user.join()
        last.append(max(0.0, (good[0] - begun) * 1000))
    return last, answered


def main():
    parser = report.arguments(__doc__)
    parser.add_argument("--rounds", type=int, help="default 7, quick 1")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    levels = (1, 1000) if options.quick else (1, 10_000, 1_000_000)
    rounds, count = options.rounds or (1 if options.quick else 7), 4_000 if options.quick else 40_000
    paper = report.Report("Authentication: what checking a credential costs", options)
    chance = random.Random(options.seed)
    runs = {}

    def measure(name, requests, url, number=count):
        runs.setdefault(name, []).append(load.play(requests, url, options.clients, count=number))

    with contextlib.ExitStack() as stack:
        gateways = {}
        for level in levels:
            progress(f"a store of {level:,} tokens")
            gateways[level] = stack.enter_context(TokenGateway(level, chance))
        url = stack.enter_context(service())
        static = load.written([load.request("GET", "/whoami", token=KEY)])
        for level, gateway in list(gateways.items())[1:]:
            progress(f"first uses of {level:,} tokens")
            measure(f"{level:,} tokens, first uses", gateway.asking, gateway.api.url, min(level, SPREAD))
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            for level, gateway in gateways.items():
                measure(f"{level:,} tokens", gateway.asking, gateway.api.url)
            first = gateways[levels[1]]
            # Differences of a few microseconds a request: short turns, so that a slow moment of the machine meets all.
            for _ in range(4):
                for kind in ("open", "unread", "checked"):
                    measure(kind, getattr(first, kind), first.api.url, count // 4)
            measure("FastAPI, one static key", static, url, count // 4)
        progress("revoking")
        last, answered = revocations(gateways[levels[-1]], 20 if options.quick else 300)

    rates = {name: [one["rate"] for one in measured] for name, measured in runs.items()}
    rows = []
    names = [f"{level:,} tokens" for level in levels]
    for name in [*names, *(f"{name}, first uses" for name in names[1:]), "FastAPI, one static key"]:
        p50, p99 = (median([one["latency"][key] for one in runs[name]]) / 1000 for key in ("p50_us", "p99_us"))
        low, high = report.ratio_interval(rates[name], rates["1 tokens"])
        rows.append([name, whole(median(rates[name])), f"{p50:.2f} / {p99:.2f}",
                     f"{report.ratio(rates[name], rates['1 tokens']):.3f} ({low:.3f}–{high:.3f})"])  # fmt: skip
    paper.table(f"GET /api/v1/whoami, {options.clients} clients", ["", "a second", "p50 / p99 ms", "to one token"], rows)
    for kind, words in (("open", "without a credential"), ("unread", "with the credential where nothing reads it")):
        cost = report.ratio(rates[kind], rates["checked"])
        low, high = report.ratio_interval(rates[kind], rates["checked"])
        paper.note(f"The check: {factor(cost)} times the time of the same route {words} ({low:.3f}–{high:.3f}), "
                   f"{'within' if cost <= 1.15 else 'MISSES'} the bar of 1.15")  # fmt: skip
    paper.table("A revoked token, ms", ["", "p50", "p99", "most"],
                [["until its last good answer", *(f"{value:.2f}" for value in
                  (median(last), percentile(last, 99), max(last)))],
                 ["until the revocation was answered", *(f"{value:.2f}" for value in
                  (median(answered), percentile(answered, 99), max(answered)))]])  # fmt: skip
    for name, measured in runs.items():
        paper.keep(name, measured)
    paper.keep("revocations", {"last good": last, "answered": answered})
    paper.finish()


if __name__ == "__main__":
    main()
