"""A feature set is an artifact that equals itself after a round trip."""

from tricord.core.artifact import Kind
from tricord.features.definition import FeatureSet, View
from tricord.project.codecs import codec_of


def test_round_trip(tmp_path):
    view = View("weather", ("origin",), "seen_at", ("temp",), ttl=3600.0)
    features = FeatureSet("delay", "at", {"z": "hhmm", "a": "carrier"}, (view,))
    name, codec = codec_of(FeatureSet)
    codec.write(features, tmp_path / "first")
    again = codec.read(tmp_path / "first", codec.format, FeatureSet)
    codec.write(again, tmp_path / "second")
    assert name == "tricord.FeatureSet"
    assert codec.kind == Kind.FEATURES
    assert again == features
    assert again.columns == features.columns
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
