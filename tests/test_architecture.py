"""How the source hangs together: who may import whom, how much is in one place, and what bears which name."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.source import Source, sources

#: Each imports only those before it.
ORDER = (
    "usage", "errors", "telemetry", "samples", "logs", "settings", "channels", "audio", "transcript",
    "procedures", "speech", "extraction", "review", "outputs", "storage", "research", "metrics", "services",
    "auth", "web", "cli", "__main__",
)  # fmt: skip
#: Where a heavy or replaceable package may be imported, also for its types only.
HOMES = {
    "whisperx": ("endoscribe.speech",),
    "anthropic": ("endoscribe.extraction.llm.claude",),
    "openai": ("endoscribe.extraction.llm.compatible",),
    "gradio": ("endoscribe.web", "app"),
}
MOST_MODULES = 16
MOST_MODULES_ON_TOP = 12
MOST_LINES = 60
#: Alembic asks for the same names in each step.
MIGRATIONS = "endoscribe.storage.migrations.versions."
#: A command's function has the name that people type, which may be that of what it calls.
COMMANDS = "endoscribe.cli."


def part_of(module: str) -> str:
    return module.split(".")[1]


def ours() -> tuple[Source, ...]:
    return sources("endoscribe")


def graph() -> Mapping[str, frozenset[str]]:
    """Each module with the modules of ours that it imports."""
    names = {source.name for source in ours()}
    parts = (source for source in ours() if source.name != "endoscribe")
    return {source.name: (source.imported & names) - {source.name, "endoscribe"} for source in parts}


def test_every_part_has_its_place_in_the_order() -> None:
    assert {part_of(source.name) for source in ours() if source.name != "endoscribe"} == set(ORDER)


def test_each_part_imports_only_those_before_it() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, all_imported in graph().items()
        for imported in sorted(all_imported)
        if ORDER.index(part_of(imported)) > ORDER.index(part_of(module))
    ]
    assert wrong == []


def test_the_package_itself_imports_only_what_keeps_libraries_silent() -> None:
    (package,) = (source for source in ours() if source.name == "endoscribe")
    assert package.packages == {"endoscribe"}
    assert {name for name in package.imported if part_of(name) != "telemetry"} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        list(TopologicalSorter(graph()).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("package", HOMES)
def test_a_package_of_others_has_one_home(package: str) -> None:
    app = Source("app", ROOT / "app.py")
    importing = [source.name for source in (*ours(), app) if package in source.packages]
    assert importing
    wrong = [name for name in importing if not any(f"{name}.".startswith(f"{home}.") for home in HOMES[package])]
    assert wrong == []


def test_no_folder_holds_more_modules_than_one_takes_in_at_a_glance() -> None:
    held = Counter(source.path.parent for source in ours() if source.path.name != "__init__.py")
    top = ROOT / "endoscribe"
    full = {
        str(folder.relative_to(ROOT)): count
        for folder, count in held.items()
        if count > (MOST_MODULES_ON_TOP if folder == top else MOST_MODULES)
    }
    assert full == {}


def test_no_public_name_is_given_twice() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for source in ours():
        if not source.name.startswith((MIGRATIONS, COMMANDS)):
            for name in set(source.public_names()) - {"log"}:
                homes[name].append(source.name)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{source.name}.{function.name}": length
        for source in (*ours(), *sources("tests"), *sources("benchmarks"))
        for function in source.functions()
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MOST_LINES
    }
    assert long == {}


def test_no_test_file_is_imported() -> None:
    """What several need is in tests/support, and fixtures in a conftest.py."""

    def is_test(module: str) -> bool:
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        return module.startswith("tests.") and path.name.startswith("test_") and path.is_file()

    wrong = [
        f"{source.name} imports {imported}"
        for source in (*sources("tests"), *sources("benchmarks"))
        for imported in sorted(source.imported)
        if is_test(imported) or Path(imported.replace(".", "/")).name == "conftest"
    ]
    assert wrong == []
