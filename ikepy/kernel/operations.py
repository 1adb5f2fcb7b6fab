"""What is done to a SAD and an SPD, as values: each with its inverse, and with the error its refusal means.

Not here: in what order (base.py), how a kernel is told (xfrm.py, decoupled.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from errno import EEXIST

from ikepy.ike.errors import KernelRefused, PolicyTaken, SpiTaken
from ikepy.ipsec import PolicyAction, PolicySpec, SaSpec
from ikepy.kernel.netlink import Refusal
from ikepy.kernel.owners import Plan
from ikepy.kernel.progress import FRESH, Progress


@dataclass(frozen=True, slots=True)
class AddState:
    """Install a state; refused with EEXIST where one has its name."""

    spec: SaSpec
    progress: Progress = FRESH


@dataclass(frozen=True, slots=True)
class DeleteState:
    """Remove a state; refused with ESRCH where there is none.

    progress   where it goes on should this be taken back
    """

    spec: SaSpec
    progress: Progress = FRESH


@dataclass(frozen=True, slots=True)
class UpdateState:
    """Give a state other ports of encapsulation where it is: its sequence numbers go on by themselves."""

    spec: SaSpec
    before: SaSpec


@dataclass(frozen=True, slots=True)
class AddPolicy:
    """Install a policy; refused with EEXIST where one has its key."""

    spec: PolicySpec


@dataclass(frozen=True, slots=True)
class ReplacePolicy:
    """Give the policy of that key another content."""

    spec: PolicySpec
    before: PolicySpec


@dataclass(frozen=True, slots=True)
class DeletePolicy:
    """Remove a policy; refused with ENOENT where there is none."""

    spec: PolicySpec


Operation = AddState | UpdateState | DeleteState | AddPolicy | ReplacePolicy | DeletePolicy


def operations_of(plan: Plan) -> list[Operation]:
    """What makes a plan true, in its order."""
    return [
        *(AddPolicy(policy) for policy in plan.added),
        *(ReplacePolicy(after, before) for before, after in plan.replaced),
        *(DeletePolicy(policy) for policy in plan.deleted),
    ]


def inverse(operation: Operation) -> Operation:
    """What takes an operation back."""
    match operation:
        case AddState(spec):
            return DeleteState(spec)
        case DeleteState(spec, progress):
            return AddState(spec, progress)
        case UpdateState(spec, before):
            return UpdateState(before, spec)
        case AddPolicy(policy):
            return DeletePolicy(policy)
        case ReplacePolicy(after, before):
            return ReplacePolicy(before, after)
        case DeletePolicy(policy):
            return AddPolicy(policy)


def error_of(operation: Operation, refusal: Refusal, *, is_first: bool) -> KernelRefused:
    """What a refused operation means; `is_first` where it is the first of its write."""
    match operation:
        case AddState(spec) if refusal.errno == EEXIST and is_first:
            return SpiTaken(f"SPI {spec.spi:08x} to {spec.destination} is in use: draw another")
        case AddState(spec) if refusal.errno == EEXIST:
            return KernelRefused(
                f"the peer chose SPI {spec.spi:08x}, which another SA to {spec.destination} has: it should try again"
            )
        case AddState(spec) | UpdateState(spec) | DeleteState(spec):
            what = f"the SA {spec.spi:08x} from {spec.source} to {spec.destination} ({_algorithms(spec)})"
        case AddPolicy(policy) if refusal.errno == EEXIST:
            return PolicyTaken(
                f"a policy that is not ikepy's has the selectors {_worded(policy)}: "
                "`ip xfrm policy` shows it; remove it, or narrow local_ts or remote_ts"
            )
        case AddPolicy(policy) | ReplacePolicy(policy) | DeletePolicy(policy):
            what = f"the policy {_worded(policy)}"
    return KernelRefused(f"the kernel does not take {what}: {refusal}")


def _algorithms(spec: SaSpec) -> str:
    return f"{spec.encr}" if spec.integ is None else f"{spec.encr} and {spec.integ}"


def _worded(policy: PolicySpec) -> str:
    selector = policy.selector
    protocol = f" protocol {selector.protocol}" if selector.protocol else ""
    what = "" if policy.action is PolicyAction.PROTECT else f", {policy.action.value}"
    return f"{selector.source} to {selector.destination}{protocol} ({policy.direction.value}{what})"
