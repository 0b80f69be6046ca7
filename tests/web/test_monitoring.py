"""The dashboard and the alerts ask for what `/metrics` tells, in queries that mean something."""

import json
import re
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from endoscribe.metrics import Metrics
from tests.support.paths import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "contrib" / "grafana.json").read_text())
ALERTS: dict[str, Any] = yaml.safe_load((ROOT / "contrib" / "alerts.yaml").read_text())
FAMILIES = {family.name: family for family in text_string_to_metric_families(Metrics(ROOT).exposition().decode())}
SAMPLES: dict[str, list[Sample]] = {}
for _family in FAMILIES.values():
    for _sample in _family.samples:
        SAMPLES.setdefault(_sample.name, []).append(_sample)
#: Counters and histograms only ever grow, until a restart: alone they say nothing.
GROWING = {
    sample.name for family in FAMILIES.values() if family.type in ("counter", "histogram") for sample in family.samples
}
#: What Prometheus itself adds to every series or tells of a target.
ADDED_LABELS, OF_PROMETHEUS = {"instance", "job"}, {"up"}
METRIC = re.compile(r"\b(?:endoscribe|process)_\w+|\bup\b")
SELECTED = re.compile(r"(\w+)\{([^}]*)\}")
QUERIES = [
    pytest.param(target["expr"], id=panel["title"])
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
] + [pytest.param(rule["expr"], id=rule["alert"]) for group in ALERTS["groups"] for rule in group["rules"]]


def labels_of(name: str) -> set[str]:
    return {label for sample in SAMPLES.get(name, []) for label in sample.labels} | ADDED_LABELS


@pytest.mark.parametrize("query", QUERIES)
def test_every_metric_of_a_query_is_told(query: str) -> None:
    named = set(METRIC.findall(query)) - OF_PROMETHEUS
    assert named
    assert named <= SAMPLES.keys()


@pytest.mark.parametrize("query", QUERIES)
def test_every_label_of_a_query_is_its_metrics_and_takes_that_value(query: str) -> None:
    for name, selectors in SELECTED.findall(query):
        for label, kind, wanted in re.findall(r'(\w+)(=~?)"([^"]*)"', selectors):
            assert name in OF_PROMETHEUS or label in labels_of(name)
            if label not in ADDED_LABELS:
                told = {sample.labels[label] for sample in SAMPLES[name]}
                assert set(wanted.split("|") if kind == "=~" else [wanted]) <= told
    grouped = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", query) for label in labels.split(",")}
    assert grouped <= set().union(*(labels_of(name) for name in METRIC.findall(query)))


@pytest.mark.parametrize("query", QUERIES)
def test_what_only_grows_is_asked_for_as_a_rate_and_a_quantile_by_its_buckets(query: str) -> None:
    for name in set(METRIC.findall(query)) & GROWING:
        alone = re.sub(rf"(?:rate|increase)\({name}(?:\{{[^}}]*\}})?\[", "", query)
        assert name not in alone
    for asked in re.findall(r"histogram_quantile\(.*", query, re.DOTALL):
        assert re.search(r"by \([^)]*\ble\b[^)]*\) \(rate\(\w+_bucket", asked)
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize("family", sorted(name for name in FAMILIES if name.startswith("endoscribe_")))
def test_everything_that_is_told_is_on_the_dashboard(family: str) -> None:
    shown = {name for target in QUERIES for name in METRIC.findall(str(target.values[0]))}
    assert shown & {sample.name for sample in FAMILIES[family].samples}


def test_every_panel_says_what_it_shows_and_lies_beside_the_others() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


def test_every_alert_says_what_happened_where() -> None:
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            assert "{{ $labels.instance }}" in rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_scrape_configuration_of_the_guide_is_one() -> None:
    guide = (ROOT / "docs" / "DEPLOYMENT.md").read_text()
    (text,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", guide, re.DOTALL)
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert job["job_name"] == "endoscribe"
    assert 'job="endoscribe"' in (ROOT / "contrib" / "alerts.yaml").read_text()
    assert job.get("metrics_path", "/metrics") == "/metrics"
    assert job["authorization"].keys() == {"credentials_file"}
