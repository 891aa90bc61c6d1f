"""Every sentence that the judge can say, with the smallest history that makes it say so, in `tests/histories`.

`python -m tests.verify.sentences` draws histories from the model, takes every kind of finding, fate or doubt in every
wording with every blame once, cuts the history down to the lines that it needs, and writes it beside its whole verdict.
`test_sentences` holds the judge to these verdicts to the letter: counts, spans, stories, accounts, notes. After a
change that is meant to change them, run it again with `--renew`, which keeps the histories, and read the difference.
"""

import argparse
import random
import re
from pathlib import Path
from typing import Any

from harness import portable
from harness.outcome import as_text
from harness.verify import judge
from tests.verify.facts import read, written
from tests.verify.model import wild
from tests.verify.trial import shortened

FOLDER = Path(__file__).parent.parent / "histories"
DRAWN = 3000

Line = dict[str, Any]


def said(verdict: dict[str, Any]) -> dict[str, str]:
    """What a verdict says, without its numbers and names: the wording, and a word to name it by."""
    told = {}
    for one in (*verdict["spans"], *verdict["examples"]):
        told[f"{one['kind']} {one['detail']} {one['blame']} {_wording(one['text'])}"] = one["kind"]
    for one in verdict["examples"]:
        told |= {f"story {_wording(line['text'])}": one["kind"] for line in one["timeline"]}
    told |= {f"anomaly {kind}": kind for kind, count in verdict["anomalies"].items() if count}
    told |= {_wording(text): verdict["verdict"].lower() for text in verdict["reasons"] + verdict["notes"]}
    return told


def _wording(text: str) -> str:
    return re.sub(
        r"\b(messages were|messages|message was|message)\b", "message", re.sub(r"[\w-]*\d[\w,.-]*", "#", text)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes tests/histories.")
    parser.add_argument("--renew", action="store_true", help="only the verdicts, of the histories that are there")
    if not parser.parse_args().renew:
        collect()
    for path in sorted(FOLDER.glob("*.jsonl")):
        path.with_suffix(".verdict.json").write_text(as_text(judge(portable.read(path))))


def collect() -> None:
    known: set[str] = set()
    for path in FOLDER.iterdir():
        path.unlink()
    numbers: dict[str, int] = {}
    for seed in range(DRAWN):
        lines = wild(random.Random(seed))
        new = {wording: word for wording, word in said(judge(read(written(lines)))).items() if wording not in known}
        for wording, word in new.items():
            if wording in known:
                continue
            short = shortened(lines, lambda some, wording=wording: wording in said(judge(read(written(some)))))
            known |= set(said(judge(read(written(short)))))
            numbers[word] = numbers.get(word, 0) + 1
            (FOLDER / f"{word}-{numbers[word]}.jsonl").write_bytes(written(short))
        if seed % 500 == 499:
            print(f"{seed + 1} drawn, {sum(numbers.values())} kept", flush=True)


if __name__ == "__main__":
    main()
