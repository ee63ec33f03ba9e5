"""Counting for Prometheus at the price of an addition: plain numbers, made into the library's families when asked for.

The library's own instruments cost ten times as much, with a lock and a lookup for each number. Series are not guarded
against two threads: each is counted by one of them.
Source: https://prometheus.github.io/client_python/collector/custom/
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

Labels = tuple[str | int, ...]


class Tally(Collector):
    """A counter for each set of labels, in `counts`."""

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._text, self._label_names = name, text, labels
        self.counts: defaultdict[Labels, int] = defaultdict(int)
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._text, labels=self._label_names)
        for labels, count in list(self.counts.items()):
            family.add_metric([str(label) for label in labels], count)
        yield family


class Durations(Collector):
    """A histogram for each set of labels. Units: seconds; `bounds` are the upper ends of its buckets."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._label_names = name, text, labels
        self._bounds = tuple(bounds)
        self._ends = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}  # how many in each bucket, and their sum
        registry.register(self)
        if not labels:
            self._begin(())

    def observe(self, seconds: float, *labels: str | int) -> None:
        counts, total = self._series.get(labels) or self._begin(labels)
        counts[bisect_left(self._bounds, seconds)] += 1
        total[0] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._label_names)
        for labels, (counts, total) in list(self._series.items()):
            buckets = list(zip(self._ends, accumulate(counts), strict=True))
            family.add_metric([str(label) for label in labels], buckets, total[0])
        yield family

    def _begin(self, labels: Labels) -> tuple[list[int], list[float]]:
        series = self._series[labels] = [0] * len(self._ends), [0.0]
        return series
