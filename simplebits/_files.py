"""Writing without half files: everything goes to a temporary name beside the target and is renamed when whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary name, then rename it to `path`; on any failure nothing is left behind.

    Raises:
        OSError: naming the file, when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        os.replace(part, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written ({error.strerror or error}); what was there before is "
            f"untouched. Free some space or choose another folder, then run again",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def beside(path: str | Path | None, name: object) -> Path | None:
    """Name the file of a part of the whole, next to the whole's own; None where the whole has none.

    >>> beside("runs/fit.safetensors", "warm-up").name
    'fit-warm-up.safetensors'
    """
    whole = None if path is None else Path(path)
    return whole and whole.with_name(f"{whole.stem}-{name}{whole.suffix}")


def write_text(path: Path, text: str) -> None:
    """Write text in one step."""
    write_atomic(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON in one step, sorted and indented so that a change reads well in a diff."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, naming it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); fetch it or make it again") from error


def write_tensors(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write tensors and a JSON note to one safetensors file in one step."""
    from safetensors.torch import save

    # save(), not save_file(): the bytes pass through Python's own write, whose failures are OSErrors that name a cause.
    data = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, {"note": json.dumps(note)}
    )
    write_atomic(path, lambda part: part.write_bytes(data))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, naming it.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(
                (file.metadata() or {}).get("note", "{}")
            )
    except (SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged or not a safetensors file ({error}); delete it and make or fetch it again"
        ) from error


def sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def alone(folder: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the folder's lock. The system drops it when the process dies, and nothing is left lying in the folder.

    Args:
        folder: is there.
        wait: for whoever holds it; if not, the result is False where somebody does.
    """
    try:
        import fcntl
    except ImportError:  # Windows: runs are safe as each has a file of its own
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        free = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            free = False
        except OSError:  # some network file systems refuse to lock a folder
            pass
        yield free
    finally:
        os.close(handle)
