"""Findings, and the report they make."""

from __future__ import annotations

import json

import numpy as np

from btfeeds.warehouse.findings import _SAYS, Finding, Report, Severity
from btfeeds.warehouse.quality import WEIGHTS

TIMES = np.array([60_000, 120_000, 180_000, 240_000, 300_000, 360_000, 420_000])


def test_every_rule_has_a_weight_and_words() -> None:
    assert set(_SAYS) == set(WEIGHTS)


def test_notes_cost_nothing_and_errors_something() -> None:
    free = {rule for rule, weight in WEIGHTS.items() if weight.most == 0}
    assert free == {rule for rule, (severity, _) in _SAYS.items() if severity is Severity.NOTE}


def test_a_finding_names_how_many_from_when_to_when_and_the_first_five() -> None:
    finding = Finding.at("stuck", TIMES, TIMES > 60_000)
    assert (finding.count, finding.first, finding.last) == (6, 120_000, 420_000)
    assert finding.examples == (120_000, 180_000, 240_000, 300_000, 360_000)
    assert finding.severity is Severity.WARNING


def test_a_finding_reads_as_one_line() -> None:
    finding = Finding.at("stuck", TIMES, TIMES > 300_000)
    assert str(finding) == (
        "warning: the prices stay the same although there is volume, 2×: 1970-01-01T00:06:00Z .. 1970-01-01T00:07:00Z"
    )
    assert str(Finding("column", 3, detail="high")) == "error: a column is not there (high), 3×"


def test_a_report_leaves_out_what_concerns_no_bar() -> None:
    report = Report.of(7, 60_000, 420_000, (Finding("stuck", 0), Finding("no_trade", 2, 60_000, 120_000)))
    assert [finding.rule for finding in report.findings] == ["no_trade"]
    assert (report.score, report.sound, report.count("no_trade"), report.count("stuck")) == (100, True, 2, 0)


def test_an_error_is_not_sound_and_a_warning_is() -> None:
    assert not Report.of(7, 0, 0, (Finding("duplicate", 1),)).sound
    assert Report.of(7, 0, 0, (Finding("outlier", 1),)).sound


def test_what_is_found_elsewhere_joins_the_report_and_its_score() -> None:
    report = Report.of(90, 0, 0, ()).joined(Finding("missing", 10))
    assert (report.score, report.losses[0].rule, report.losses[0].points) == (40, "missing", 60.0)


def test_a_report_can_be_read_by_a_program() -> None:
    report = Report.of(90, 60_000, 420_000, (Finding("missing", 10, 60_000, 120_000, (60_000,), "1 gaps"),))
    assert json.loads(json.dumps(report.json())) == {
        "rows": 90,
        "first": 60_000,
        "last": 420_000,
        "score": 40,
        "losses": {"missing": 60.0},
        "findings": [
            {
                "rule": "missing", "severity": "warning", "count": 10, "first": 60_000, "last": 120_000,
                "examples": [60_000], "detail": "1 gaps",
            }
        ],
    }  # fmt: skip
