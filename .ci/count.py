"""Counts the test cases in meson's logs and prints one line; fails when one failed or a log is missing."""

import json
import sys

PASSED = ("OK", "EXPECTEDFAIL")


def results(path):
    """The result word of every test in one testlog.json; one failure when there is no log."""
    try:
        with open(path, encoding="utf-8") as log:
            return [json.loads(line)["result"] for line in log if line.strip()]
    except OSError as error:
        print(f"no test log: {error}", file=sys.stderr)
        return ["ERROR"]


def main():
    words = [word for path in sys.argv[1:] for word in results(path)]
    skipped = words.count("SKIP")
    passed = sum(word in PASSED for word in words)
    failed = len(words) - passed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
