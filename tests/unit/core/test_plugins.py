"""Plug-ins and optional libraries: found by name, and what is missing is said."""

from importlib.metadata import EntryPoint

import pytest

from tricord.core import plugins
from tricord.core.errors import MissingDependency, PluginError
from tricord.core.protocols import Codec


def test_every_declared_codec_loads_and_has_the_shape_of_one() -> None:
    found = plugins.declared("tricord.codecs")
    assert {"polars.DataFrame", "pandas.DataFrame", "pyarrow.Table", "numpy.ndarray"} <= set(found)
    for name in found:
        codec: Codec = plugins.load("tricord.codecs", name)()
        assert codec.format
        assert codec.reads
        assert codec.kind


def test_an_unknown_plugin_is_named_with_those_there_are() -> None:
    with pytest.raises(PluginError, match=r"no plug-in 'x\.Y'") as caught:
        plugins.load("tricord.codecs", "x.Y")
    assert "polars.DataFrame" in str(caught.value.hint)


def test_a_plugin_that_does_not_load_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "tricord.core.clock:NoSuchClock", "tricord.codecs")
    monkeypatch.setattr(plugins, "declared", lambda group: {"broken": broken})
    with pytest.raises(PluginError, match="does not load"):
        plugins.load("tricord.codecs", "broken")


def test_a_missing_library_names_its_extra() -> None:
    with pytest.raises(MissingDependency) as caught:
        plugins.optional("no_such_library.part", extra="serving")
    assert caught.value.hint == "pip install 'tricord[serving]'"
