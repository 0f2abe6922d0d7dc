"""How a feature set is stored: as canonical JSON, an artifact of kind features."""

from tricord.core.artifact import Kind
from tricord.project.codecs import RecordCodec


class FeatureSetCodec(RecordCodec):
    """`FeatureSet` through its `to_json` and `from_json`."""

    kind = Kind.FEATURES
