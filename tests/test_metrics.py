"""What Prometheus reads, read back by the library's own parser."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from service.metrics import Metrics
from service.models import Turn


def _samples(metrics: Metrics) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def _values(samples: list[Sample], label: str) -> Mapping[str, float]:
    return {sample.labels[label]: sample.value for sample in samples}


def test_a_request_counts_in_every_bucket_from_its_own_upwards() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.01, 0.0101, 99.0):
        metrics.count_request("/api/chat", 200, seconds)
    samples = _samples(metrics)
    buckets = _values(samples["http_request_seconds_bucket"], "le")
    assert (buckets["0.001"], buckets["0.005"], buckets["0.01"], buckets["0.025"]) == (1, 1, 2, 3)
    assert (buckets["60.0"], buckets["+Inf"]) == (3, 4)
    assert samples["http_request_seconds_count"][0].value == 4
    assert samples["http_request_seconds_sum"][0].value == 99.0206


def test_routes_and_codes_are_series_of_their_own() -> None:
    metrics = Metrics()
    metrics.count_request("/api/chat", 200, 0.1)
    metrics.count_request("/api/chat", 429, 0.1)
    counts = _samples(metrics)["http_request_seconds_count"]
    assert _values(counts, "code") == {"200": 1, "429": 1}


def test_turns_and_their_tokens_add_up() -> None:
    metrics = Metrics()
    metrics.count_turn(_ended(3, 4), None, 0.5)
    metrics.count_turn(_ended(None, 6), None, 0.5)
    samples = _samples(metrics)
    assert samples["turns_total"] == [Sample("turns_total", {"kind": "chat", "end": "completed"}, 2.0)]
    assert _values(samples["tokens_total"], "direction") == {"prompt": 3, "completion": 10}


def _ended(prompt_tokens: int | None, completion_tokens: int | None) -> Turn:
    row = ("a-turn", "ann", "a-conversation", "chat", "completed", "[]", "a-model")
    return Turn(*row, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)


def test_a_histogram_without_labels_is_there_before_anything_happened() -> None:
    assert _samples(Metrics())["store_commit_seconds_count"][0].value == 0


def test_tokens_are_counted_from_nothing() -> None:
    assert _values(_samples(Metrics())["tokens_total"], "direction") == {"prompt": 0, "completion": 0}
