"""Run one command under Debian's own kernel in an emulated machine, on the host's own files.

    python tests/lab/stock.py [--timeout S] [--memory MB] COMMAND [ARG...]

For what the lab's user-mode kernels lack (nft_queue). It looks and ends as guest.py does, and it computes at a twentieth
of the speed: the processor is emulated, since a machine that is itself virtual mostly cannot lend its own.

Needs Debian's packages qemu-system-x86, linux-image-cloud-amd64 and busybox-static (debian.sh stock).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from guest import CHECKOUT, Guest, main

VIRTIOFSD = Path("/usr/lib/qemu/virtiofsd")
BUSYBOX = Path("/bin/busybox")
_NEEDED = "virtio_pci virtiofs overlay"
_BOOT_SECONDS = 20.0

_INIT = r"""#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t devtmpfs dev /dev
die() { echo "guest set-up failed: $*" >/dev/console; $bb poweroff -f; }
for m in /m/*; do $bb insmod $m || die $m; done
$bb mount -t virtiofs host /host || die virtiofs
$bb mount -t tmpfs -o mode=755,size=@TMPFS@ tmpfs /t
$bb mkdir /t/up /t/wk
$bb mount -t overlay -o lowerdir=/host,upperdir=/t/up,workdir=/t/wk root /new || die overlay
cd /new
$bb mount -t proc -o nosuid,nodev,noexec proc proc
$bb mount -t sysfs -o nosuid,nodev,noexec sysfs sys
$bb mount -t devtmpfs -o mode=755 dev dev
$bb mount -t tmpfs -o mode=755 tmpfs run
$bb mount -t tmpfs -o mode=1777,size=@TMPFS@ tmpfs tmp
$bb mkdir -p dev/pts dev/shm run/lab run/lock run/netns
$bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
$bb mount -t tmpfs -o mode=1777 tmpfs dev/shm
$bb mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
$bb mount -o bind '/host@LAB@' run/lab || die lab
$bb mkdir -p '.@CHECKOUT@' && $bb mount -o bind '/host@CHECKOUT@' '.@CHECKOUT@' || die checkout
exec $bb switch_root /new /bin/bash /run/lab/stage2 </dev/null >/dev/console 2>&1
"""


class StockGuest(Guest):
    """One run of Debian's kernel."""

    name = "stock"
    slowness = 10

    def _boot(self, kernel: Path, memory_mb: int, parent: str) -> subprocess.Popen[bytes]:
        init = _INIT
        fill = {"@TMPFS@": f"{memory_mb * 3 // 4}m", "@LAB@": str(self.lab), "@CHECKOUT@": str(CHECKOUT)}
        for word, value in fill.items():
            init = init.replace(word, value)
        initrd, sock = self.lab / "initrd", self.lab / "files"
        initrd.write_bytes(_initrd(kernel.name.removeprefix("vmlinuz-"), init))
        # It ends by itself when the machine hangs up.
        self._files = subprocess.Popen(
            [VIRTIOFSD, f"--socket-path={sock}", "-o", "source=/", "-o", "sandbox=chroot", "-o", "cache=auto", "-f"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + _BOOT_SECONDS
        while not sock.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        arguments = [
            "qemu-system-x86_64", "-M", "q35,memory-backend=m,hpet=off,vmport=off,smbus=off,sata=off",
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(min(2, len(os.sched_getaffinity(0)))),
            "-m", f"{memory_mb}M", "-object", f"memory-backend-memfd,id=m,size={memory_mb}M,share=on",
            "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", "console=ttyS0 panic=-1 net.ifnames=0 tsc=reliable quiet",
            "-chardev", f"socket,id=c,path={sock}", "-device", "vhost-user-fs-pci,chardev=c,tag=host",
        ]  # fmt: skip
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def clean(self) -> None:
        """Leave nothing."""
        super().clean()
        self._files.kill()
        self._files.wait(10)


def find_stock_kernel() -> Path | None:
    """The newest of Debian's kernels whose modules are there, if there is what it takes to run it."""
    if shutil.which("qemu-system-x86_64") is None or not VIRTIOFSD.exists() or not BUSYBOX.exists():
        return None
    kernels = sorted(Path("/boot").glob("vmlinuz-*"), reverse=True)
    return next((path for path in kernels if Path("/lib/modules", path.name.removeprefix("vmlinuz-")).is_dir()), None)


def _initrd(release: str, init: str) -> bytes:
    """The first memory disk: a shell, the modules it takes to see the host's files, and what to do."""
    modules: list[Path] = []
    for name in _NEEDED.split():
        shown = subprocess.run(
            ["modprobe", "-S", release, "--show-depends", name], capture_output=True, text=True, check=True
        ).stdout
        found = [Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod ")]
        modules += [path for path in found if path not in modules]
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in ("bin", "m", "proc", "dev", "host", "t", "new")]
    entries += [("bin/busybox", stat.S_IFREG | 0o755, BUSYBOX.read_bytes())]
    entries += [("init", stat.S_IFREG | 0o755, init.encode())]
    entries += [(f"m/{n:02}-{path.name}", stat.S_IFREG | 0o644, path.read_bytes()) for n, path in enumerate(modules)]
    return _cpio(entries)


def _cpio(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """An archive of names, modes and octets as the kernel unpacks it (format newc)."""
    out = bytearray()
    for number, (name, mode, octets) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        path = name.encode() + b"\0"
        values = (number, mode, 0, 0, 1, 0, len(octets), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08X" % value for value in values) + path
        out += b"\0" * (-len(out) % 4) + octets
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


if __name__ == "__main__":
    sys.exit(main(StockGuest, find_stock_kernel, "tests/lab/debian.sh stock"))
