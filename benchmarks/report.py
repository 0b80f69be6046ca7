"""Results to docs/BENCHMARKS.md and its picture: `python -m benchmarks.report results.jsonl`.

What was measured before is kept in docs/benchmarks.jsonl, so that single cases can be measured anew: the report holds
all of them. Where a case was measured more than once, its last line counts.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
Row = dict[str, Any]

SYSTEMS = {
    "endoscribe": "EndoScribe",
    "whisperlivekit": "WhisperLiveKit",
    "naive": "naive page",
    "whisperx": "WhisperX batch",
    "whisperx+vocabulary": "WhisperX batch, glossary",
}
COLOURS = {
    "endoscribe": "#0f766e",
    "whisperlivekit": "#b45309",
    "naive": "#6b7280",
    "whisperx": "#4338ca",
    "whisperx+vocabulary": "#a78bfa",
}

INTRODUCTION = """# Benchmarks

How EndoScribe's live text compares with other ways of getting it, on one machine, from the same weights. Everything
here is written by `python -m benchmarks.report results.jsonl` from what `make benchmarks` measures;
`benchmarks/README.md` says how. Machine: {machine}; int8 on the CPU.

The days on which rows were measured differ, and so do what else ran on the machine (*others*) and how fast it computes:
compare CPU and latencies only between rows of one day with about the same *others*. On 2026-11-27 the machine was
little more than half as fast as on 2026-11-25: WhisperX took 18 s for the four minutes that took 11 s then, and 22 s in
another hour of that day.

- **EndoScribe**: the live text, and the final text that is ready after Stop; knows the procedure's vocabulary.
- **WhisperLiveKit** {peer}: the public streaming server, LocalAgreement on faster-whisper, its settings as shipped.
- **Naive page**: WhisperX on everything said so far, every 2 s or as often as it gets done; commits nothing.
- **WhisperX batch**: WhisperX's own `transcribe` after Stop, without and with the vocabulary as its prompt.

From 4 minutes on a dictation holds examinations of several procedures. The speaker chooses each on the page where it
begins; WhisperX with the vocabulary is told the same and hears each stretch with its own glossary.

The voice is synthetic and reads invented dictations clearly; people make every error rate here higher.
"""

REPAIRS = """## Ordinary English that is wrongly put right

The recordings of people in Debian's `pocketsphinx-testdata` (47 s of novels, numbers, cards and commands), heard by
`base` with each of the four vocabularies: 394 words, none repaired, none either if every word had been doubted.
`python -m benchmarks.repairs FOLDER` does the same with any folder.
"""

DEFINITIONS = """## What the columns mean

Times are seconds. A word's latency counts from its spoken end, as the final decoding of the base model times it.

- **CPU**: CPU seconds, all threads and children, per second of audio, without loading the model.
- **First word**: the first word shown, minus its spoken end; **shown**: the same for all words, median.
- **Commit**: the system says that the word will not change any more, median and 95th percentile.
- **Settled**: the word did not change any more from here on, whatever the system says.
- **Flicker**: displayed words that were changed or taken away later, over the words of the final text.
- **Stop to final**: from the last sample to the final text. More than 60 s are not waited for.
- **WER**: word error rate, blind to how numbers and units are written; *live* is the text on the screen at the end.
- **Terms**: the share of the vocabulary's terms in the dictation that the final text holds.
- **Others**: how many cores other programs kept busy meanwhile. Latencies are only fair where this is near 0; a dash
  means that it was not noted on a shared machine.
- **Memory**: the largest resident size of the process, model and libraries included.

A latency is a dash where more than half of the words are wrong: those that match do so by chance.
"""

Column = tuple[str, Callable[[Row], str]]

LATENCIES = frozenset({"first_word_s", "shown_p50_s", "commit_p50_s", "commit_p95_s", "settled_p50_s", "settled_p95_s"})
MOSTLY_WRONG = 0.5


def load(*paths: Path) -> list[Row]:
    """The rows of these files, of each case the last."""
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [json.loads(line) for line in lines if line.strip()]
    return list({row["case"]: row for row in rows}.values())


def keep(rows: Iterable[Row], path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def mean_of(row: Row, figure: str) -> float | None:
    """A figure's mean over the speakers who have it."""
    values = _values(row, figure)
    return statistics.mean(values) if values else None


def worst_of(row: Row, figure: str) -> float | None:
    return max(_values(row, figure), default=None)


def _values(row: Row, figure: str) -> list[float]:
    """Of those who were let in. Of a text that is mostly wrong no word's latency is told: it matches by chance."""
    served = [one for one in row["served"] if not one["refused"] and one[figure] is not None]
    if figure in LATENCIES:
        served = [one for one in served if (one["final_wer"] or 0.0) <= MOSTLY_WRONG]
    return [one[figure] for one in served]


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def spread(row: Row, middle: str, high: str) -> str:
    if mean_of(row, middle) is None:
        return "-"
    return f"{seconds(mean_of(row, middle))} / {seconds(worst_of(row, high))}"


def stop_to_final(row: Row) -> str:
    gave_up = any(one.get("gave_up") for one in row["served"])
    return "> 60, incomplete" if gave_up else seconds(worst_of(row, "stop_to_final_s"))


def refused(row: Row) -> str:
    return str(sum(one["refused"] for one in row["served"]))


ONE_SPEAKER: tuple[Column, ...] = (
    ("system", lambda row: SYSTEMS[row["system"]]),
    ("audio", lambda row: f"{row['audio_s'] / 60:.1f} min"),
    ("CPU", lambda row: ratio(row["cpu_per_audio_s"])),
    ("first word", lambda row: seconds(mean_of(row, "first_word_s"))),
    ("shown p50", lambda row: seconds(mean_of(row, "shown_p50_s"))),
    ("commit p50 / p95", lambda row: spread(row, "commit_p50_s", "commit_p95_s")),
    ("settled p50 / p95", lambda row: spread(row, "settled_p50_s", "settled_p95_s")),
    ("flicker", lambda row: ratio(mean_of(row, "flicker"))),
    ("stop to final", stop_to_final),
    ("live WER", lambda row: percent(mean_of(row, "live_wer"))),
    ("final WER", lambda row: percent(mean_of(row, "final_wer"))),
    ("terms", lambda row: percent(mean_of(row, "term_recall"))),
    ("memory", lambda row: f"{row['peak_rss_mb'] / 1000:.1f} GB"),
    ("others", lambda row: ratio(row.get("others_cores"))),
    ("measured", lambda row: str(row.get("measured", "-"))),
)
MANY_SPEAKERS: tuple[Column, ...] = (
    ("system", lambda row: SYSTEMS[row["system"]]),
    ("speakers", lambda row: str(row["speakers"])),
    ("told to wait", refused),
    ("CPU", lambda row: ratio(row["cpu_per_audio_s"])),
    ("shown p50", lambda row: seconds(mean_of(row, "shown_p50_s"))),
    ("commit p50, mean / p95, worst speaker", lambda row: spread(row, "commit_p50_s", "commit_p95_s")),
    ("flicker", lambda row: ratio(mean_of(row, "flicker"))),
    ("stop to final, worst", stop_to_final),
    ("live WER", lambda row: percent(mean_of(row, "live_wer"))),
    ("final WER", lambda row: percent(mean_of(row, "final_wer"))),
    ("terms", lambda row: percent(mean_of(row, "term_recall"))),
    ("others", lambda row: ratio(row.get("others_cores"))),
    ("measured", lambda row: str(row.get("measured", "-"))),
)
NOISE: tuple[Column, ...] = (
    ("noise, one minute", lambda row: row["noise"]),
    ("shown live", lambda row: str(row["shown"])),
    ("committed", lambda row: str(row["committed"])),
    ("final text", lambda row: str(row["after_stop"])),
    ("as an upload", lambda row: str(row["upload"])),
)
COMMANDS: tuple[Column, ...] = (
    ("case", lambda row: row["case"]),
    ("command", lambda row: f"`{row['command']}`"),
)


def table(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    lines = [[title for title, _ in columns], ["---"] * len(columns)]
    lines += [[cell(row) for _, cell in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def per_minute(readings: list[Row]) -> list[tuple[float, float, float]]:
    """From the meter's readings: the minute, CPU seconds per second of time in it, and resident MB at its end."""
    full = [{"wall_s": 0.0, "cpu_s": 0.0, "rss_mb": 0.0}, *readings]
    return [
        (
            after["wall_s"] / 60,
            (after["cpu_s"] - before["cpu_s"]) / (after["wall_s"] - before["wall_s"]),
            after["rss_mb"],
        )
        for before, after in pairwise(full)
        if after["wall_s"] - before["wall_s"] > 30
    ]


def flatness(rows: list[Row]) -> str:
    """CPU and memory minute by minute, in the longest live session of the last day on which any was measured."""
    live = [row for row in rows if row["system"] == "endoscribe" and row["speakers"] == 1]
    longest = max(live, key=lambda row: (row.get("measured", ""), float(row["audio_s"])), default=None)
    if longest is None:
        return "Not measured."
    columns: tuple[Column, ...] = (
        ("minute", lambda minute: f"{minute['end']:.0f}"),
        ("CPU s per s", lambda minute: ratio(minute["cpu"])),
        ("memory", lambda minute: f"{minute['rss_mb'] / 1000:.2f} GB"),
    )
    minutes = [{"end": end, "cpu": cpu, "rss_mb": mb} for end, cpu, mb in per_minute(longest["readings"])]
    text = f"`{longest['case']}`, {longest['audio_s'] / 60:.1f} minutes in real time:"
    return f"{text}\n\n{table(columns, minutes)}"


def page(rows: list[Row], peer: str) -> str:
    compared = [row for row in rows if "system" in row]
    ordered = sorted(compared, key=lambda row: (row["minutes"], list(SYSTEMS).index(row["system"]), row["speakers"]))
    base = [row for row in ordered if row["model"] == "base"]
    small = sorted((row for row in ordered if row["model"] == "tiny.en"), key=lambda row: row["speakers"])
    machines = "; ".join(sorted({row["machine"] for row in compared}))
    noises = [row for row in rows if "noise" in row]
    parts = [
        INTRODUCTION.format(machine=machines or "none", peer=peer),
        "![Cost, latency and error rate of the systems](benchmarks.png)\n",
        f"## One speaker, `base`\n\n{table(ONE_SPEAKER, base)}\n",
        "## Speakers at once, `tiny.en`\n\nOne dictation of about a minute each; they begin 4 s after each other. A "
        f"new speaker is told to wait where with one more all would wait too long.\n\n{table(MANY_SPEAKERS, small)}\n",
        f"## Where others are better\n\n{where_others_are_better(ordered)}\n",
        f"## As the minutes go by\n\n{flatness(compared)}\n",
        f"## Words where nobody speaks\n\n{table(NOISE, noises)}\n",
        REPAIRS,
        DEFINITIONS,
        f"## Commands\n\nEach figure again:\n\n{table(COMMANDS, (*base, *small, *noises))}\n",
    ]
    return "\n".join(parts)


def where_others_are_better(rows: list[Row]) -> str:
    """Every figure in which another system beats EndoScribe on the same dictations, in sentences."""
    own = {(row["model"], row["minutes"], row["speakers"]): row for row in rows if row["system"] == "endoscribe"}
    lines = []
    for row in rows:
        ours = own.get((row["model"], row["minutes"], row["speakers"]))
        if not ours or ours is row:
            continue
        for title, figure, sign, written in COMPARED:
            pair = figure(row), figure(ours)
            if pair[0] is not None and pair[1] is not None and sign * pair[0] < sign * pair[1]:
                many = f", {row['speakers']} speakers" if row["speakers"] > 1 else ""
                where = f"{SYSTEMS[row['system']]}, {row['model']}, {row['minutes']} min{many}"
                lines.append(f"- {where}: {title} {written(pair[0])}, EndoScribe's {written(pair[1])}.")
    return "\n".join(lines) or "In none of the figures measured here."


def _mean(name: str) -> Callable[[Row], float | None]:
    return lambda row: mean_of(row, name)


#: A title, the figure, 1 where less is better and -1 where more is, and how it is written.
COMPARED: tuple[tuple[str, Callable[[Row], float | None], int, Callable[[float | None], str]], ...] = (
    ("CPU", lambda row: float(row["cpu_per_audio_s"]), 1, ratio),
    ("first word", _mean("first_word_s"), 1, seconds),
    ("commit p50", _mean("commit_p50_s"), 1, seconds),
    ("commit p95", lambda row: worst_of(row, "commit_p95_s"), 1, seconds),
    ("flicker", _mean("flicker"), 1, ratio),
    ("stop to final", lambda row: worst_of(row, "stop_to_final_s"), 1, seconds),
    ("live WER", _mean("live_wer"), 1, percent),
    ("final WER", _mean("final_wer"), 1, percent),
    ("terms", _mean("term_recall"), -1, percent),
    ("memory", lambda row: float(row["peak_rss_mb"]), 1, lambda mb: f"{(mb or 0) / 1000:.1f} GB"),
)


def plot(rows: list[Row], path: Path) -> None:
    """Above, the systems on the dictation that most were measured on; below, by length and by number of speakers."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    compared = [row for row in rows if "system" in row]
    base = [row for row in compared if row["model"] == "base"]
    small = [row for row in compared if row["model"] == "tiny.en"]
    chosen = _plotted(base)
    figure, (upper, lower) = plt.subplots(2, 3, figsize=(13, 7), layout="constrained")
    which = f"{chosen[0]['audio_s'] / 60:.0f} minutes"
    _bars(upper[0], f"CPU s per s of audio, {which}", chosen, lambda row: float(row["cpu_per_audio_s"]))
    _bars(upper[1], f"Word settled after, p95, s, {which}", chosen, _mean("settled_p95_s"))
    _bars(upper[2], f"WER of the final text, {which}", chosen, _mean("final_wer"))
    _lines(lower[0], "CPU s per s of audio, by minutes", base, "minutes", lambda row: float(row["cpu_per_audio_s"]))
    _lines(lower[1], "Word settled after, p95, s, by minutes", base, "minutes", _mean("settled_p95_s"))
    worst = "Commit p95 of the worst, s, by speakers (tiny.en)"
    _lines(lower[2], worst, small, "speakers", lambda row: worst_of(row, "commit_p95_s"))
    figure.suptitle(f"base where not said otherwise; {chosen[0]['machine']}", fontsize=11)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)


def _bars(axis: Any, title: str, rows: list[Row], figure: Callable[[Row], float | None]) -> None:
    values = [figure(row) for row in rows]
    names = [SYSTEMS[row["system"]].replace(", ", ",\n") for row in rows]
    bars = axis.barh(names, [value or 0 for value in values], color=[COLOURS[row["system"]] for row in rows])
    labels = [_missing(row) if value is None else f"{value:.2f}" for row, value in zip(rows, values, strict=True)]
    axis.bar_label(bars, labels, padding=3)
    axis.set_title(title, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.2)
    axis.spines[["top", "right"]].set_visible(False)


def _missing(row: Row) -> str:
    return "no live text" if mean_of(row, "live_wer") is None else "mostly wrong"


def _lines(axis: Any, title: str, rows: list[Row], along: str, figure: Callable[[Row], float | None]) -> None:
    for system, name in SYSTEMS.items():
        mine = sorted((row for row in rows if row["system"] == system), key=lambda row: int(row[along]))
        points = [(row[along], value) for row in mine if (value := figure(row)) is not None]
        if points:
            axis.plot(*zip(*points, strict=True), marker="o", color=COLOURS[system], label=name)
    axis.set_title(title, fontsize=9)
    axis.set_xscale("log", base=2)
    ticks = sorted({int(row[along]) for row in rows})
    axis.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.lines:
        axis.legend(fontsize=8)


def _plotted(rows: list[Row]) -> list[Row]:
    lengths = {row["minutes"] for row in rows}
    fullest = max(lengths, key=lambda minutes: (sum(row["minutes"] == minutes for row in rows), minutes))
    chosen = (row for row in rows if row["minutes"] == fullest)
    return sorted(chosen, key=lambda row: list(SYSTEMS).index(row["system"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="*", help="what was measured anew")
    parser.add_argument("--peer", default="0.2.26", help="WhisperLiveKit's version")
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args()
    kept = options.docs / "benchmarks.jsonl"
    rows = load(kept, *options.results) if kept.is_file() else load(*options.results)
    keep(rows, kept)
    (options.docs / "BENCHMARKS.md").write_text(page(rows, options.peer), encoding="utf-8")
    plot(rows, options.docs / "benchmarks.png")


if __name__ == "__main__":
    main()
