"""The two shell scripts a guest boots with: mounts, then the command.

The guest's root is the host's, read-only, under an overlay in memory; only the checkout is really writable.
"""

from __future__ import annotations

import shlex
from pathlib import Path

MODULES = "/usr/lib/uml/modules"

_STAGE1 = r"""#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
die() { echo "guest set-up failed: $*" >/dev/console; echo o >/proc/sysrq-trigger; sleep 10; }
mount -t proc proc /proc || die proc
mount -t tmpfs -o size=@TMPFS@,mode=755 tmpfs /tmp || die tmpfs
rel=$(</proc/sys/kernel/osrelease)
case $(</proc/filesystems) in *overlay*) ;; *)
  insmod @MODULES@/$rel/kernel/fs/overlayfs/overlay.ko || die overlay module ;; esac
mkdir -p /tmp/up /tmp/wk /tmp/root
mount -t overlay -o lowerdir=/,upperdir=/tmp/up,workdir=/tmp/wk,xino=off root /tmp/root || die overlay
cat >/tmp/fstab <<END
proc     /tmp/root/proc proc     nosuid,nodev,noexec 0 0
sysfs    /tmp/root/sys  sysfs    nosuid,nodev,noexec 0 0
devtmpfs /tmp/root/dev  devtmpfs mode=755 0 0
tmpfs    /tmp/root/run  tmpfs    mode=755 0 0
tmpfs    /tmp/root/tmp  tmpfs    mode=1777,size=@TMPFS@ 0 0
devpts   /tmp/root/dev/pts devpts x-mount.mkdir,gid=5,mode=620,ptmxmode=666 0 0
tmpfs    /tmp/root/dev/shm tmpfs  x-mount.mkdir,mode=1777 0 0
tmpfs    /tmp/root/sys/fs/cgroup tmpfs mode=755 0 0
lab      /tmp/root/run/lab hostfs x-mount.mkdir,@LAB@ 0 0
@BINDS@
END
[ -d @MODULES@/$rel ] && echo "@MODULES@ /tmp/root/lib/modules none bind,x-mount.mkdir 0 0" >>/tmp/fstab
mount -n -a -T /tmp/fstab || die mounts
cd /tmp/root && mkdir -p run/old run/lock run/netns && pivot_root . run/old || die pivot_root
exec /bin/bash /run/lab/stage2 </dev/null
"""

_STAGE2 = r"""export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /
[ -d /run/old ] && umount -l /run/old
mkdir -p /dev/net; [ -e /dev/net/tun ] || mknod -m 666 /dev/net/tun c 10 200
[ -e /dev/ptmx ] || ln -s pts/ptmx /dev/ptmx
ln -sf /proc/self/fd /dev/fd; ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout; ln -sf /proc/self/fd/2 /dev/stderr
[ -e /proc/modules ] && modprobe -a ipv6
ip link set lo up
echo lab >/proc/sys/kernel/hostname
echo 2 >/proc/sys/net/core/fb_tunnels_only_for_init_net
(
@EXPORTS@
cd @CWD@ || exit 126
exec @COMMAND@
) </dev/null >>/run/lab/out 2>>/run/lab/err
rc=$?
sync
echo $rc >/run/lab/status.tmp && mv /run/lab/status.tmp /run/lab/status
echo o >/proc/sysrq-trigger
sleep 60
"""


def write_stages(lab: Path, checkout: Path, command: list[str], environment: dict[str, str], memory_mb: int) -> None:
    """Write `stage1` and `stage2` into the guest's private directory."""
    where = _in_fstab(str(checkout))
    fill = {
        "@TMPFS@": f"{memory_mb * 3 // 4}m",
        "@MODULES@": MODULES,
        "@LAB@": _in_fstab(str(lab)),
        "@BINDS@": f"host /tmp/root{where} hostfs x-mount.mkdir,{where} 0 0",
        "@EXPORTS@": "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items()),
        "@CWD@": shlex.quote(str(checkout)),
        "@COMMAND@": shlex.join(command),
    }
    for name, text in (("stage1", _STAGE1), ("stage2", _STAGE2)):
        for word, value in fill.items():
            text = text.replace(word, value)  # noqa: PLW2901
        script = lab / name
        script.write_text(text, encoding="utf-8", errors="surrogateescape")
        script.chmod(0o755)


def _in_fstab(path: str) -> str:
    return path.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
