"""What a computation must pay on a device, whoever programs it: the floor under every measured time."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Device:
    """Speeds of one device, all in SI units; together they make its roof, :eq:`roofline`.

    Attributes
    ----------
    name : a word of the name by which the driver calls it.
    bandwidth : bytes a second between memory and chip.
    flops : operations a second for each data type.
    step : seconds for each kind of dependent step. "in-cta": the next step waits for threads of its own block;
        "cross-cta": for other blocks of the grid.
    """

    name: str
    bandwidth: float
    flops: dict[str, float]
    step: dict[str, float]

    def reach(self, intensity, dtype="float32"):
        """Operations a second that nothing can exceed at so many operations a byte, :eq:`roofline`."""
        return min(self.flops[dtype], intensity * self.bandwidth)


# Assumptions, not measurements: what well-made kernels reach on an H200 (memory, arithmetic in 16 bits), its data sheet
# (arithmetic in float32), and estimates (steps).
H200 = Device(
    name="H200",
    bandwidth=4.3e12,
    flops={"float32": 67e12, "bfloat16": 790e12, "float16": 790e12},
    step={"in-cta": 150e-9, "cross-cta": 1e-6},
)
DEVICES = (H200,)


def device_named(name):
    """Find a device by the name its driver gives it; None when its speeds are not known here."""
    return next((device for device in DEVICES if device.name in name.split()), None)


@dataclass(frozen=True)
class Cost:
    """What any implementation must move, compute and wait for, :eq:`intensity` and :eq:`floor`.

    Attributes
    ----------
    bytes : read from and written to memory, each number once.
    flops : additions and multiplications.
    steps : length of the longest chain of steps of which each needs the one before.
    dtype : in which the operations may be done, a key of `Device.flops`.
    step : kind of the steps, a key of `Device.step`.
    """

    bytes: float
    flops: float
    steps: int = 0
    dtype: str = "float32"
    step: str = "in-cta"

    def __add__(self, other):
        """Pay both, one after the other."""
        if (self.dtype, self.step) != (other.dtype, other.step):
            raise ValueError(f"cannot add a cost in {other.dtype}, {other.step} to one in {self.dtype}, {self.step}")
        return replace(
            self, bytes=self.bytes + other.bytes, flops=self.flops + other.flops, steps=self.steps + other.steps
        )

    @property
    def intensity(self):
        """Operations for each byte that moves, :eq:`intensity`; infinite where nothing moves."""
        return self.flops / self.bytes if self.bytes else float("inf")

    def parts(self, device=H200):
        """Seconds for memory, arithmetic and waiting, each as if it were alone."""
        return {
            "memory": self.bytes / device.bandwidth,
            "arithmetic": self.flops / device.flops[self.dtype],
            "steps": self.steps * device.step[self.step],
        }

    def floor(self, device=H200):
        """Seconds that no implementation can beat on the device, :eq:`floor`: the largest of the three parts."""
        return max(self.parts(device).values())

    def bound(self, device=H200):
        """Name the part that sets the floor: "memory", "arithmetic" or "steps"."""
        parts = self.parts(device)
        return max(parts, key=parts.get)
