"""A site file of N hundred field-replaceable units, the same bytes for the same arguments.

    generated_site.py SHELVES [--covered N]

A shelf has 100 units: the chassis with 11 supplies, fans, feeds and managers, 8 carriers with 3 cards
each, 12 hosts, 40 systems, and the switches and paths to the next shelf (one shelf alone has none).
Seven redundancy groups a shelf: four pairs on two carriers, a 4+2, two pairs with the next shelf.
--covered N: the first N groups of each shelf have a coverage and a switch-over time, so each
needs a Markov chain.
"""

import argparse
import itertools

CARRIERS, CARDS, HOSTS, SYSTEMS = 8, 3, 12, 40
UNITS = (("psu", "power-supply", 4, 3), ("fan", "fan-tray", 3, 2), ("feed", "power-feed", 2, 1),
         ("shm", "shelf-manager", 2, 1))
DYNAMIC = ", coverage: 0.99, uncovered: waits, recovery: 30min, switch_over: 50ms"


def card(shelf, carrier, place):
    return f"nic{shelf}-{carrier}-{place}"


def chassis(shelf):
    yield f"  - name: shelf{shelf}"
    yield f"    mtbf: {1000000 + 1000 * shelf}h"
    yield "    units:"
    for name, kind, count, needed in UNITS:
        yield f"      - {{name: {name}, kind: {kind}, count: {count}, needed: {needed}}}"
    yield "    carriers:"
    for carrier in range(CARRIERS):
        yield f"      - name: amc{shelf}-{carrier}"
        yield "        cards:"
        for place in range(CARDS):
            number = (shelf * CARRIERS + carrier) * CARDS + place
            yield (f"          - {{name: {card(shelf, carrier, place)}, vfs: 64, "
                   f"line: net_null{number}, mtbf: {200000 + 7919 * number % 100000}h}}")


def groups_of(shelf, shelves):
    """Name, cards and words of each group of a shelf; the next shelf of the last one is the first."""
    for pair in range(4):
        yield f"pair{shelf}-{pair}", [card(shelf, 2 * pair + i, 0) for i in range(2)], "spread: carrier"
    yield (f"many{shelf}", [card(shelf, carrier, 1) for carrier in range(6)],
           "mode: n+m, standbys: 2, spread: carrier")
    other = (shelf + 1) % shelves
    for pair in range(2):
        mine, theirs = card(shelf, pair, 2), card(other, pair + 2, 2)
        yield f"far{shelf}-{pair}", [mine, theirs], "spread: " + ("chassis" if shelves > 1 else "card")


def site(shelves, covered):
    yield f"name: generated-{shelves}"
    yield "chassis:"
    for shelf in range(shelves):
        yield from chassis(shelf)
    yield "hosts:"
    for shelf, host in itertools.product(range(shelves), range(HOSTS)):
        yield f"  - {{name: blade{shelf}-{host}, chassis: shelf{shelf}, software_mtbf: 20000h, restart: 3min}}"
    if shelves > 1:
        yield "switches:"
        for shelf, way in itertools.product(range(shelves), range(2)):
            yield f"  - {{name: tor{shelf}-{way}}}"
        yield "paths:"
        for shelf, way in itertools.product(range(shelves), range(2)):
            yield (f"  - {{name: way{shelf}-{way}, chassis: [shelf{shelf}, "
                   f"shelf{(shelf + 1) % shelves}], switches: [tor{shelf}-{way}]}}")
    yield "pools:"
    names = [[] for _ in range(shelves)]
    for shelf in range(shelves):
        here = [card(shelf, carrier, place) for carrier in range(CARRIERS) for place in range(CARDS)]
        there = [card((shelf + 1) % shelves, carrier, 2) for carrier in (2, 3)] if shelves > 1 else []
        names[shelf] = list(groups_of(shelf, shelves))
        yield f"  - {{name: pool{shelf}, cards: [{', '.join(here + there)}]}}"
    yield "groups:"
    for shelf in range(shelves):
        for index, (name, cards, words) in enumerate(names[shelf]):
            more = DYNAMIC if index < covered else ""
            yield f"  - {{name: {name}, cards: [{', '.join(cards)}], {words}{more}}}"
    yield "systems:"
    for shelf, system in itertools.product(range(shelves), range(SYSTEMS)):
        group = names[shelf][system % len(names[shelf])][0]
        yield (f"  - {{name: vm{shelf}-{system}, host: blade{shelf}-{system % HOSTS}, "
               f"software_mtbf: 5000h, restart: 2min, io: [{{pool: pool{shelf}, redundancy: {group}}}]}}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shelves", type=int)
    parser.add_argument("--covered", type=int, default=0)
    options = parser.parse_args()
    print("\n".join(site(options.shelves, options.covered)))


if __name__ == "__main__":
    main()
