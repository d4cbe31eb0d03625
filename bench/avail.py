"""The part 'avail' of make bench: fault trees with known answers, and an evaluation of generated sites."""

import json
import os
import resource
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "avail_models.tsv")
COLUMNS = ("model", "gates", "events", "coherent", "probability", "cut_sets", "order", "tool_s",
           "tool_mb", "engine_s", "engine_mb")
SITES = ((1, 0), (10, 0), (10, 1), (100, 0))  # shelves of 100 units, groups a shelf with coverage


def known():
    with open(MODELS, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                yield dict(zip(COLUMNS, line.rstrip("\n").split("\t")))


def measured(command, timeout_s):
    """The JSON that a command printed; None: it did not end well."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    if process.returncode:
        print(errors.decode(errors="replace").strip(), file=sys.stderr)
        return None
    return json.loads(out)


def timed(command, timeout_s):
    """As measured(), with CPU seconds and the memory's peak in MB: a process of its own, whose only child
    is the command."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        answer = measured(command, timeout_s)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = json.dumps([answer, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024])
        with os.fdopen(writer, "w", encoding="utf-8") as out:
            out.write(said)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as said:
        answer, cpu_s, mb = json.loads(said.read())
    os.waitpid(child, 0)
    return answer, cpu_s, mb


def error_of(row, answer):
    """How far the probability is off the known one; bounds, where it is not exact."""
    if not answer["exact"]:
        low, high = answer["unavailability_lower"], answer["unavailability_upper"]
        return f"bounds {low:.4g}..{high:.4g}"
    if row["probability"] == "?":
        return "not known"
    right = float(row["probability"])
    return f"{abs(answer['unavailability'] - right) / right:.1e}"


def count_of(row, answer):
    count = answer.get("cut_sets", {}).get("count")
    if count is None:
        return "-", "not counted"
    if row["cut_sets"] == "?":
        return count, "not known"
    same = count == row["cut_sets"].rstrip("?")
    return count, "same" if same else "known: " + row["cut_sets"]


def model_row(options, directory, row):
    path = os.path.join(directory, row["model"] + ".xml")
    command = [os.path.join(options.build, "src/prog/midplane"), "avail", "solve", path, "-o", "json",
               "--cut-sets", "0", "--seconds", str(options.model_seconds)]
    answer, cpu_s, mb = timed(command, 4 * options.model_seconds + 60)
    peer = f"{row['tool_s']} / {row['tool_mb']} | {row['engine_s']} / {row['engine_mb']}"
    if not answer:
        print(f"| {row['model']} | no answer | | | | {cpu_s:.2f} / {mb:.0f} | {peer} |", flush=True)
        return {"model": row["model"], "answer": None, "cpu_s": cpu_s, "mb": mb}
    count, agrees = count_of(row, answer)
    print(f"| {row['model']} | {answer['unavailability']:.17g} | {error_of(row, answer)} | {count} | "
          f"{agrees} | {cpu_s:.2f} / {mb:.0f} | {peer} |", flush=True)
    return {"model": row["model"], "unavailability": answer["unavailability"], "exact": answer["exact"],
            "lower": answer["unavailability_lower"], "upper": answer["unavailability_upper"],
            "error": error_of(row, answer), "cut_sets": count, "count": agrees, "cpu_s": cpu_s, "mb": mb}


def bench_models(options):
    directory = options.aralia
    if not os.path.isdir(directory):
        print(f"\nFault trees of the Aralia set: not measured, there is no directory {directory}; "
              "--aralia or MIDPLANE_ARALIA names another")
        return []
    print(f"\nFault trees: all that `midplane avail solve --cut-sets 0 --seconds {options.model_seconds}` "
          "answers (probability, frequency, exact counts of cut sets by order, importance of every "
          "event), CPU s / MB, beside SCRAM 0.16.2 (tool with products; engine, probability alone)\n")
    print("| model | probability | error to the known | minimal cut sets | count | CPU s / MB "
          "| SCRAM tool | SCRAM engine |")
    print("|---|---|---|---:|---|---|---|---|")
    rows = [model_row(options, directory, row) for row in known()
            if os.path.exists(os.path.join(directory, row["model"] + ".xml"))]
    print(f"\n{len(rows)} models, {sum(row['cpu_s'] for row in rows):.2f} CPU s")
    return rows


def bench_sites(options):
    print("\nGenerated sites, once loaded, ms of CPU an evaluation after a change (median, 99th "
          "percentile): another MTBF; another card in a redundancy group, with all that follows\n")
    print("| units | groups with coverage | load | MTBF | member | MB |")
    print("|---:|---:|---:|---|---|---:|")
    out = []
    for shelves, covered in SITES:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as site:
            subprocess.run([sys.executable, os.path.join(HERE, "generated_site.py"), str(shelves),
                            "--covered", str(covered)], stdout=site, check=True)
            answer, _, _ = timed([os.path.join(options.build, "bench/avail_bench"), site.name, "2"], 300)
        if not answer:
            continue
        change = [f"{answer[key]['median_ms']:.3f}, {answer[key]['p99_ms']:.3f}"
                  for key in ("mtbf", "member")]
        print(f"| {answer['units']} | {shelves * covered} | {answer['load_ms']:.1f} | {change[0]} | "
              f"{change[1]} | {answer['memory_mb']:.1f} |", flush=True)
        out.append({"covered": shelves * covered, **answer})
    return out


def bench_avail(options):
    return {"models": bench_models(options), "sites": bench_sites(options)}
