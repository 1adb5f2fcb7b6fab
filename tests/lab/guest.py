"""Run one command under a user-mode-linux kernel that can do ESP, on the host's own files.

    python tests/lab/guest.py [--timeout S] [--memory MB] COMMAND [ARG...]

The guest is root in its own kernel: network namespaces, XFRM and nftables in there touch nothing outside. Whatever it
writes is gone afterwards, except inside the checkout. Exit status: the command's own; 124 on timeout; 125 when the
guest died; 126 when there is no kernel to run.

Needs Debian's package user-mode-linux. A kernel beside the checkout (shared/lab/kernel) is faster and taken first.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import lzma
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from stages import write_stages

CHECKOUT = Path(__file__).resolve().parents[2]
PACKED_KERNEL = CHECKOUT.parent / "shared" / "lab" / "kernel" / "linux-ikepy-6.12.xz"
UNPACKED_KERNEL = CHECKOUT / ".lab" / "linux-6.12"
DEBIAN_KERNEL = Path("/usr/bin/linux.uml")
TIMED_OUT, DIED, NO_KERNEL = 124, 125, 126
_KEPT = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TERM",
    "CI",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "COLUMNS",
    "PYTHONDONTWRITEBYTECODE",
    "PYTEST_ADDOPTS",
    "PYENV_VERSION",
    "PYENV_ROOT",
    "IKEPY_VECTORS",
    "IKEPY_DEBUG",
    "IKEPY_LAB_OUT",
]
# In-kernel set-up that no test needs and that costs about a second.
_SKIPPED = [
    "raid6_select_algo",
    "calibrate_xor_blocks",
    "register_xor_blocks",
    "init_btrfs_fs",
    "init_xfs_fs",
    "init_jfs_fs",
    "init_reiserfs_fs",
    "ubd_init",
    "ubd0_init",
]
_DEATH = re.compile(r"Kernel panic|Out of memory|Oops|BUG:|segfault|Call Trace", re.IGNORECASE)
_PR_SET_PDEATHSIG = 1


def find_kernel() -> Path | None:
    """$UML_KERNEL, else the packed one beside the checkout (unpacked once), else Debian's."""
    wanted = os.environ.get("UML_KERNEL")
    if wanted:
        return Path(wanted)
    if PACKED_KERNEL.exists() and not UNPACKED_KERNEL.exists():
        UNPACKED_KERNEL.parent.mkdir(exist_ok=True)
        fresh = UNPACKED_KERNEL.with_suffix(f".{os.getpid()}")
        with lzma.open(PACKED_KERNEL) as packed, fresh.open("wb") as out:
            shutil.copyfileobj(packed, out)
        fresh.chmod(0o755)
        fresh.rename(UNPACKED_KERNEL)
    return next((path for path in (UNPACKED_KERNEL, DEBIAN_KERNEL) if os.access(path, os.X_OK)), None)


def claim_cpu() -> int:
    """A CPU that no other guest has, held by a lock: between two CPUs each system call would be a wake-up."""
    cpus = sorted(os.sched_getaffinity(0))
    for cpu in reversed(cpus):
        lock = os.open(f"/tmp/ikepy-lab.cpu{cpu}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
        else:
            return cpu
    return cpus[os.getpid() % len(cpus)]


class Guest:
    """One run of a kernel: its private directory, its process, its output."""

    name = "uml"
    slowness = 1

    def __init__(self, kernel: Path, command: list[str], memory_mb: int) -> None:
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
        self.lab = Path(tempfile.mkdtemp(prefix="ikepy-lab.", dir=parent))
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        if "/usr/sbin" not in environment.get("PATH", "").split(":"):
            environment["PATH"] = environment.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        environment["IKEPY_LAB"], environment["IKEPY_LAB_SLOWNESS"] = self.name, str(self.slowness)
        write_stages(self.lab, CHECKOUT, command, environment, memory_mb)
        for name in ("out", "err"):
            (self.lab / name).touch()
        self._tails = [(os.open(self.lab / "out", os.O_RDONLY), 1), (os.open(self.lab / "err", os.O_RDONLY), 2)]
        self._process = self._boot(kernel, memory_mb, parent)
        self._reader = threading.Thread(target=self._keep_console, daemon=True)
        self._reader.start()

    def run(self, timeout: float, stopped: list[int]) -> int:
        """Copy the output until the command ends; the exit status."""
        status, deadline, ended = self.lab / "status", time.monotonic() + timeout, None
        while self._process.poll() is None and not stopped:
            now = time.monotonic()
            if now > deadline:
                break
            if ended is None and status.exists():
                ended = now
            if ended is not None and now - ended > 5:
                break
            if not self._pump():
                time.sleep(0.01)
        self._kill()
        self._pump()
        if status.exists():
            return int(status.read_text())
        if stopped:
            return 128 + stopped[0]
        if time.monotonic() > deadline:
            print(f"lab: timed out after {timeout:g} s; guest killed", file=sys.stderr)
            return TIMED_OUT
        self._tell_death()
        return DIED

    def clean(self) -> None:
        """Leave nothing."""
        self._kill()
        shutil.rmtree(self.lab, ignore_errors=True)

    def _boot(self, kernel: Path, memory_mb: int, parent: str) -> subprocess.Popen[bytes]:
        cpu, libc = claim_cpu(), ctypes.CDLL(None, use_errno=True)

        def child() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {cpu})

        arguments = [
            str(kernel), f"mem={memory_mb}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
            f"init={self.lab / 'stage1'}", "con=null", "con0=fd:0,fd:1", "ssl=null", "umid=g",
            f"uml_dir={self.lab / 'uml'}", "panic=-1", "noreboot", "devtmpfs.mount=0", "dummy.numdummies=0",
            "loglevel=4", "initcall_blacklist=" + ",".join(_SKIPPED),
        ]  # fmt: skip
        # The traced processes unmap what glibc registered for rseq; the host would kill them for that.
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.lab),
            "TMPDIR": parent,
            "GLIBC_TUNABLES": "glibc.pthread.rseq=0",
        }
        return subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, cwd="/", start_new_session=True, preexec_fn=child,
        )  # fmt: skip

    def _keep_console(self) -> None:
        assert self._process.stdout is not None
        with (self.lab / "console").open("wb", buffering=0) as log:
            while octets := os.read(self._process.stdout.fileno(), 65536):
                log.write(octets)

    def _pump(self) -> bool:
        moved = False
        for source, out in self._tails:
            while octets := os.read(source, 1 << 16):
                moved = True
                while octets:
                    octets = octets[os.write(out, octets) :]
        return moved

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def _tell_death(self) -> None:
        self._reader.join(2)
        lines = (self.lab / "console").read_text(errors="replace").splitlines()
        first = next((at for at, line in enumerate(lines) if _DEATH.search(line)), max(0, len(lines) - 12))
        print("lab: the guest died; its kernel said:", file=sys.stderr)
        print("\n".join("  | " + line for line in lines[first : first + 40]), file=sys.stderr)


def main(
    guest_class: type[Guest] = Guest,
    find: Callable[[], Path | None] = find_kernel,
    needed: str = "apt-get install user-mode-linux",
) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=float, default=1500, help="seconds until the guest is killed")
    parser.add_argument("--memory", type=int, default=1536, help="megabytes; only what is touched is taken")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    kernel = find()
    if kernel is None:
        print(f"lab: no kernel: {needed}", file=sys.stderr)
        return NO_KERNEL
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: stopped.append(received))
    guest = guest_class(kernel, command or shlex.split("bash -c 'uname -a'"), options.memory)
    try:
        return guest.run(options.timeout, stopped)
    finally:
        guest.clean()


if __name__ == "__main__":
    sys.exit(main())
