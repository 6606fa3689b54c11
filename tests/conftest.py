"""What all tests share: hypothesis profiles, programs that may be missing, and one running community."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.running import SHARED, Beside, Community, beside

#: A third of what hypothesis tries by itself: there are hundreds of properties, and each run tries others.
settings.register_profile("usual", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", parent=settings.get_profile("usual"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


def pytest_configure(config: pytest.Config) -> None:
    """Give all processes of this run one directory to share."""
    if not hasattr(config, "workerinput"):
        os.environ[SHARED] = tempfile.mkdtemp(prefix="cjsm-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take it away again."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the kills, which take longest, so that no process is left with them at the end."""
    items.sort(key=lambda item: not {"own_community", "own_firm"} & set(getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return the path of a program by name; a missing one is a failure in CI, else the test is skipped by name."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            cure = f"{name} is not installed; script/test, run as root on Debian, installs it"
            if os.environ.get("CI") == "true":
                pytest.fail(cure)
            pytest.skip(cure)
        return found

    return find


@pytest.fixture(scope="session")
def community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    """A demonstration community that runs for the whole session."""
    running = Community(tmp_path_factory.mktemp("community") / "demo")
    running.make()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def starttls(community: Community, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """The directory's door that begins in the clear, which is off unless it is asked for."""
    with beside(community, "cjsm-ldap", "ldap", tmp_path_factory.mktemp("starttls")) as running:
        yield running
