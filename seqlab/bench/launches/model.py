"""One kernel as it is launched at one size, with every form that its tuner would try there."""

from dataclasses import dataclass, field

from seqlab.kernels import compile_for

KINDS = {"float64": "*fp64", "float32": "*fp32", "bfloat16": "*bf16", "float16": "*fp16"}
INT, LONG = "*i32", "*i64"


def sums(dtype):
    """The type in which numbers of a data type are added up: a pointer to float32, or to float64 for float64."""
    return KINDS["float64" if dtype == "float64" else "float32"]


def pointers(signature):
    """The names of the arguments that are tensors."""
    return [name for name, kind in signature.items() if kind.startswith("*")]


@dataclass(frozen=True)
class Launch:
    """What a compiler needs to know of a launch.

    Attributes
    ----------
    kernel : what it is called on the page.
    shape : the sizes that the plan was asked for.
    fn : the `triton.jit` function, tuned or not.
    signature, constants : as `seqlab.kernels.compile_for` takes them.
    divisible : names of arguments that are multiples of 16; None stands for every pointer.
    options : num_warps and what else a launch without a tuner is given; None where a tuner chooses.
    arguments : those of a launch, by name, that the tuner looks at to choose what to try.
    """

    kernel: str
    shape: dict
    fn: object
    signature: dict
    constants: dict
    divisible: list | None = None
    options: dict | None = None
    arguments: dict = field(default_factory=dict)

    def forms(self):
        """Every form that may run: (constants of the form, options)."""
        if self.options is not None:
            yield {}, self.options
            return
        configs = self.fn.configs
        if self.fn.early_config_prune:
            configs = self.fn.early_config_prune(configs, self.arguments, **self.constants)
        for config in configs:
            most = {} if config.maxnreg is None else {"maxnreg": config.maxnreg}
            yield dict(config.kwargs), {"num_warps": config.num_warps, "num_stages": config.num_stages, **most}

    def compiled(self, first=False):
        """Compile every form, or the first alone: (row, `Compiled`), where the row says what the form uses."""
        for own, options in self.forms():
            one = compile_for(self.fn, self.signature, self.constants | own, divisible=self.divisible, **options)
            row = {"kernel": self.kernel, "shape": self.shape, **own, "warps": options["num_warps"]}
            row |= {"stages": options["num_stages"]} if options.get("num_stages", 1) > 1 else {}
            yield row | {"registers": one.registers, "spills": one.spills, "shared": one.shared}, one
            if first:
                return
