"""`python -m tocsin.simulation`: play more seeds than the tests do, or one with a power failure at each of its points."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from contextlib import closing

from tocsin.simulation.script import describe, write_script
from tocsin.simulation.search import Search, Tally

SAID_EVERY = 500


def main() -> int:
    asked = _arguments()
    logging.getLogger("tocsin").setLevel(logging.CRITICAL)
    gc.freeze()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.show:
        for seed in seeds:
            sys.stdout.write(f"seed {seed}\n{describe(write_script(seed))}\n")
        return 0
    with closing(Search()) as search:
        for seed in seeds:
            told = len(search.tally.failures)
            if asked.sweep:
                search.tally.failures += search.sweep(seed, write_script(seed))
            else:
                search.run([seed], stop_at=asked.stop_at)
            for failure in search.tally.failures[told:]:
                sys.stdout.write(f"{failure}\n\n")
                sys.stdout.flush()
            if len(search.tally.failures) >= asked.stop_at:
                break
            if (seed - asked.first + 1) % SAID_EVERY == 0:
                sys.stderr.write(f"{seed - asked.first + 1} seeds, {len(search.tally.failures)} failures\n")
        return _say(search.tally)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tocsin.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many (default 1000)")
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="SEED", help="the first one (default 1)")
    parser.add_argument("--stop-at", type=int, default=1, metavar="N", help="stop after so many failures (default 1)")
    parser.add_argument("--sweep", action="store_true", help="instead: fail once at each point that a seed passes")
    parser.add_argument("--show", action="store_true", help="instead: print the scripts")
    return parser.parse_args()


def _say(tally: Tally) -> int:
    sys.stdout.write(
        f"{tally.seeds} seeds: {tally.crashes} crashes, {tally.incidents} incidents, {tally.messages} messages, "
        f"{len(tally.failures)} broken promises\n"
        f"power failed at {len(tally.failed)} of {len(tally.passed)} kinds of points\n"
        f"digest {tally.digest}\n"
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
