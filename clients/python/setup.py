"""Generates the messages and stubs of parley.v1 from the gateway's descriptor set while the package is built."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent
# A source distribution carries the descriptor set; the repository has it among what is generated.
DESCRIPTOR = next(path for path in (HERE / "descriptor.binpb", HERE / "../../gen/descriptor/parley.binpb") if path.exists())


def generate(target: Path) -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - there only while building
    from grpc_tools import protoc  # noqa: PLC0415

    files = [file.name for file in FileDescriptorSet.FromString(DESCRIPTOR.read_bytes()).file if file.name.startswith("parley/")]
    target.mkdir(parents=True, exist_ok=True)
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"--descriptor_set_in={DESCRIPTOR}", *outputs, *files]):
        raise SystemExit("protoc failed")
    for folder in ("parley", "parley/v1"):
        (target / folder / "py.typed").touch()  # the messages have types


class BuildPy(build_py):
    def run(self) -> None:
        generate(Path(self.build_lib))
        super().run()


class SDist(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        copyfile(DESCRIPTOR, Path(base_dir) / "descriptor.binpb")


setup(cmdclass={"build_py": BuildPy, "sdist": SDist})
