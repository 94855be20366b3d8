"""Engines: options, names, life and death."""

import copy
import gc
import os
import pickle
import time
import weakref
from pathlib import Path

import pytest
from support import USER, model

import zerohop
from zerohop.types import Device, Model, ModelInfo, SystemInfo


def test_a_path_names_the_model(engine, tiny):
    (info,) = engine.model_info
    assert isinstance(info, ModelInfo)
    assert (info.id, info.aliases, info.path) == ("tiny-llama", [], str(tiny))
    assert info.architecture == "llama"
    assert info.has_chat_template is True
    assert info.file_size == tiny.stat().st_size
    assert repr(engine) == '<zerohop.Engine ["tiny-llama"]>'


def test_the_first_alias_is_the_name(tiny):
    with zerohop.Engine(str(tiny), alias=["gpt-9", "org/other:tag"], threads=1) as engine:
        assert [model.id for model in engine.models.list()] == ["gpt-9", "org/other:tag"]
        reply = engine.chat.completions.create(messages=USER, model="org/other:tag", max_tokens=1)
        # MO3
        assert reply.model == "org/other:tag"
        with pytest.raises(zerohop.NotFoundError):
            engine.chat.completions.create(messages=USER, model="tiny-llama")


def test_models_are_listed(engine):
    # MO1
    page = engine.models.list()
    assert page.object == "list"
    assert list(page) == page.data
    (listed,) = page
    assert isinstance(listed, Model)
    assert (listed.id, listed.object, listed.owned_by) == ("tiny-llama", "model", "zerohop")
    assert engine.models.retrieve("tiny-llama") == listed
    assert page._request_id


def test_names_may_have_any_characters(tiny):
    # MO2
    names = ["org/name:tag", "a b?c#d%2Fe", "größe😀", "../x", "."]
    with zerohop.Engine(tiny, alias=names, threads=1) as engine:
        for name in names:
            assert engine.models.retrieve(name).id == name
        with pytest.raises(ValueError, match="empty"):
            engine.models.retrieve("")


def test_several_models(tiny):
    options = zerohop.ModelOptions(tiny, threads=1, context_length=512, alias="c")
    with zerohop.Engine({"a": tiny, "b": options}, threads=1, context_length=256) as engine:
        lengths = {info.id: info.context_length for info in engine.model_info}
        assert lengths == {"a": 256, "b": 512}
        assert [model.id for model in engine.models.list()] == ["a", "b", "c"]
        for name in "abc":
            reply = engine.chat.completions.create(messages=USER, model=name, max_tokens=1)
            assert reply.model == name


def test_options_are_not_given_twice(tiny):
    options = zerohop.ModelOptions(tiny)
    with pytest.raises(TypeError, match="not both"):
        zerohop.Engine(options, threads=1)
    with pytest.raises(TypeError, match="not both"):
        zerohop.Engine({"a": options}, threads=1)


@pytest.mark.parametrize("model", [None, 1, b"x.gguf", ["x.gguf"], {"a": 1}, {1: "x.gguf"}])
def test_other_things_are_no_model(model):
    with pytest.raises(TypeError):
        zerohop.Engine(model)


def test_an_engine_has_models():
    with pytest.raises(zerohop.InvalidArgumentError):
        zerohop.Engine({})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("context_length", 0),
        ("context_length", -1),
        ("threads", 0),
        ("threads", 2**32),
        ("parallel", 10**100),
        ("parallel", 257),
        ("queue", 0),
        ("gpu_layers", -1),
        ("gpu_layers", "most"),
        ("gpu_layers", "all"),
        ("gpu_layers", 1),
        ("devices", "Vulkan7"),
        ("tensor_split", [1.0]),
        ("cpu_moe_layers", 1),
        ("cpu_moe_layers", "most"),
        ("flash_attention", "never"),
        ("kv_type", "f64"),
        ("kv_type", ""),
        ("repack", "never"),
        ("alias", ["a", "a"]),
        ("alias", ""),
    ],
)
def test_values_out_of_range(tiny, option, value):
    with pytest.raises(zerohop.InvalidArgumentError, match=option if option != "alias" else "name"):
        zerohop.Engine(tiny, **{option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("context_length", "4096"),
        ("threads", 1.5),
        ("gpu_layers", 1.5),
        ("devices", 1),
        ("tensor_split", 1),
        ("gpu_margin", "1"),
        ("cpu_moe_layers", 1.5),
        ("flash_attention", True),
        ("kv_type", 16),
        ("mmap", 1),
        ("prefix_cache", 1),
        ("speculation", 1),
        ("draft_model", 1),
        ("prefix_cache_folder", 1),
        ("repack", True),
        ("chat_template", b"x"),
        ("alias", 1),
        ("alias", [1]),
        ("progress", 1),
        ("n_ctx", 4096),
    ],
)
def test_wrong_types(tiny, option, value):
    with pytest.raises(TypeError, match=option):
        zerohop.Engine(tiny, **{option: value})


def test_options_are_keywords(tiny):
    with pytest.raises(TypeError):
        zerohop.Engine(tiny, 4096)
    with pytest.raises(TypeError):
        zerohop.ModelOptions(tiny, 4096)
    with pytest.raises(TypeError):
        zerohop.Engine()


def test_options_can_be_read_compared_and_pickled(tiny):
    options = zerohop.ModelOptions(
        tiny,
        context_length=512,
        threads=1,
        gpu_layers=3,
        devices="Vulkan0",
        tensor_split=[3, 1],
        gpu_margin=0,
        cpu_moe_layers="all",
        flash_attention="off",
        parallel=2,
        queue=3,
        kv_type="q8_0",
        prefix_cache=False,
        speculation=False,
        draft_model="draft.gguf",
        prefix_cache_folder="kept",
        mmap=False,
        repack="off",
        chat_template="x",
        alias=["a", "b"],
        progress=print,
    )
    assert Path(options.path) == tiny
    assert (options.context_length, options.gpu_layers, options.kv_type) == (512, 3, "q8_0")
    assert (options.devices, options.tensor_split) == (("Vulkan0",), (3.0, 1.0))
    assert (options.gpu_margin, options.cpu_moe_layers, options.flash_attention) == (
        0,
        "all",
        "off",
    )
    assert not options.prefix_cache and zerohop.ModelOptions(tiny).prefix_cache
    assert not options.speculation and zerohop.ModelOptions(tiny).speculation
    assert (str(options.draft_model), str(options.prefix_cache_folder)) == ("draft.gguf", "kept")
    assert zerohop.ModelOptions(tiny).draft_model is None
    assert zerohop.ModelOptions(tiny).prefix_cache_folder is None
    assert options.alias == ("a", "b")
    assert options.repack == "off" and zerohop.ModelOptions(tiny).repack == "auto"
    assert "\n" not in repr(options) and "queue=3" in repr(options)
    back = pickle.loads(pickle.dumps(options))
    assert back == options and repr(back) == repr(options)
    assert options != zerohop.ModelOptions(tiny)
    assert zerohop.ModelOptions(tiny).gpu_layers == "auto"
    assert repr(zerohop.ModelOptions("m.gguf")) == "ModelOptions('m.gguf')"
    with pytest.raises(AttributeError):
        options.threads = 2


def test_options_take_effect(tiny):
    with zerohop.Engine(
        tiny,
        threads=1,
        kv_type="f32",
        mmap=False,
        repack="on",
        gpu_layers=0,
        chat_template="{{ 'x' }}",
    ) as engine:
        reply = engine.chat.completions.create(messages=USER, max_tokens=1)
        assert reply.usage.prompt_tokens <= 2


def test_placement(tiny):
    with zerohop.Engine(tiny, threads=1, gpu_layers=0) as engine:
        [info] = engine.model_info
    [placed] = info.placement
    assert (placed.device, placed.layers) == ("CPU", 3)
    assert placed.weights > 0 and placed.kv_cache > 0 and placed.compute > 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, None),
        ({"kv_type": "f32"}, "llama.cpp computes attention"),
        ({"repack": "off"}, "repack"),
    ],
)
def test_what_answers_depend_on(options, reason):
    with zerohop.Engine(model("tiny/tiny-mixture.gguf"), **{"repack": "on"} | options) as engine:
        [info] = engine.model_info
    assert info.batch_variance is None if reason is None else reason in info.batch_variance


def test_progress_is_reported(tiny):
    seen: list[float] = []
    with zerohop.Engine(tiny, threads=1, progress=seen.append):
        pass
    assert seen == sorted(seen)
    assert seen and all(0 <= fraction <= 1 for fraction in seen)
    assert seen[-1] == 1


def test_progress_can_stop_the_loading(tiny):
    seen = []

    def stop(fraction: float) -> bool:
        seen.append(fraction)
        return False

    with pytest.raises(zerohop.RequestCancelledError, match="progress"):
        zerohop.Engine(tiny, threads=1, progress=stop)
    assert len(seen) == 1


def test_exceptions_stop_the_loading(tiny):
    def fail(_fraction: float) -> None:
        raise ZeroDivisionError("as asked")

    with pytest.raises(ZeroDivisionError, match="as asked"):
        zerohop.Engine(tiny, threads=1, progress=fail)


def test_closing(tiny):
    engine = zerohop.Engine(tiny, threads=1)
    completions, models = engine.chat.completions, engine.models
    assert not engine.closed
    engine.close()
    engine.close()
    assert engine.closed
    assert repr(engine) == '<zerohop.Engine ["tiny-llama"], closed>'
    for call in [
        lambda: completions.create(messages=USER),
        lambda: completions.create(messages=USER, stream=True),
        models.list,
        lambda: models.retrieve("tiny-llama"),
        lambda: engine.model_info,
        engine.__enter__,
    ]:
        with pytest.raises(zerohop.EngineClosedError) as caught:
            call()
        assert isinstance(caught.value, RuntimeError)


def test_with_closes(tiny):
    with pytest.raises(ZeroDivisionError), zerohop.Engine(tiny, threads=1) as engine:
        1 / 0  # noqa: B018
    assert engine.closed


def test_the_last_reference_closes(tiny):
    engine = zerohop.Engine(tiny, threads=1)
    alive = weakref.ref(engine)
    completions = engine.chat.completions
    del engine
    gc.collect()
    assert alive() is None
    # Whoever holds a part of the engine holds the engine.
    assert completions.create(messages=USER, max_tokens=1).choices


def test_engines_are_not_pickled(engine):
    stream = engine.chat.completions.create(messages=USER, max_tokens=1, stream=True)
    for unpicklable in [engine, stream]:
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(unpicklable)
        with pytest.raises(TypeError):
            copy.copy(unpicklable)
        with pytest.raises(TypeError):
            copy.deepcopy(unpicklable)
    for part in [engine.chat, engine.chat.completions, engine.models]:
        with pytest.raises(TypeError):
            pickle.dumps(part)


def test_engines_come_and_go(tiny):
    started = time.monotonic()
    for _ in range(20):
        with zerohop.Engine(tiny, threads=1) as engine:
            engine.chat.completions.create(messages=USER, max_tokens=1)
    assert time.monotonic() - started < 60


def test_system_info():
    info = zerohop.system_info()
    assert isinstance(info, SystemInfo)
    assert info.version == zerohop.__version__
    assert (info.processors, info.missing_cpu_features) == (len(os.sched_getaffinity(0)), [])
    assert {"avx2", "fma"} <= set(info.cpu_features)
    assert info.kernels == ("avx512" if "avx512vnni" in info.cpu_features else "avx2")
    assert info.devices == zerohop.devices()


def test_devices():
    devices = zerohop.devices()
    assert all(isinstance(device, Device) for device in devices)
    assert "cpu" in {device.kind for device in devices}
    assert all(device.memory_total > 0 for device in devices if device.kind == "cpu")
