"""``paddleisa doctor``: is this machine ready, and what to do where it is not."""

from __future__ import annotations

import argparse

SUMMARY = "look at Python, Paddle, processor, graphics cards, engines, folders; a fix for each problem"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The only option."""
    parser.add_argument("--json", metavar="FILE", help="write the findings as JSON too")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 1 where something will not work."""
    from paddleisa.cli.common import write_json
    from paddleisa.doctor import as_data, as_text, examine

    findings = examine()
    print(as_text(findings))
    write_json(args.json, as_data(findings))
    return int(any(finding.level == "problem" for finding in findings))
