"""Answers that call the answer: the closed modules of the question reached by another door, or another's work.

Softmax may use neither `torch` nor `scipy.special`, and both really hold one. Numbers above 68 are our own.
"""

from seqlab.grading.model import State
from tests.grading.hostile.case import FULL, TOKEN, case, softmax, total
from tests.grading.tiny import SOLUTIONS

# Whatever is found is tried on the argument: a trick succeeds as soon as it has any function called softmax.
TRY = """
def attempt(*doors):
    for door in doors:
        try:
            found = door()
            return np.asarray(found(z_[0], -1), dtype=float)
        except BaseException as wrong:
            if isinstance(wrong, KeyboardInterrupt): raise
    raise LookupError("no door is open")
z_ = [None]
"""
WHERE = """
import pathlib
def files(*patterns):
    for folder in {*sys.path, *map(os.path.dirname, sys.path), "/usr/lib/python3/dist-packages"}:
        for pattern in patterns:
            yield from pathlib.Path(folder or ".").glob(pattern)
"""


@case(19, score=7.0, softmax_values=State.ERROR)
def a_closed_library():
    return softmax("import torch\nreturn torch.softmax(torch.tensor(z), -1).numpy()")


@case(19, score=7.0)
def a_closed_module_by_its_file():
    return softmax(
        """
for path in files("scipy/special/_logsumexp.py"):
    scope = {}
    exec(path.read_text(), scope)
    return scope["softmax"](z, -1)
raise LookupError
""",
        WHERE,
    )


@case(19)
def the_solution_searched_on_the_disk():
    return total(
        """
hits = []
for root in ["/" + name for name in os.listdir("/") if name not in ("usr", "proc", "dev")]:
    for folder, _, files in os.walk(root):
        if "site-packages" in folder or "/lib/" in folder: continue
        hits += set(files) & {"assignment.json", "assignment.ipynb", "variants.toml"}
        hits += set(files) & {"expected.json", "run.py"}
env = [v for v in os.environ.values() if "assignment" in v]
return float(x.sum()) if hits or env else 0.0
"""
    )


@case(19)
def the_solution_searched_in_other_processes():
    return total(
        """
found = False
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: text = open(f"/proc/{pid}/cmdline").read() + open(f"/proc/{pid}/environ").read()
    except OSError: continue
    found |= "pytest" in text or "seqlab.grading.run" in text or "seqlab.grading.reference" in text
return float(x.sum()) if found else 0.0
"""
    )


@case(19)
def the_solution_searched_in_memory():
    return total(
        """
import gc
words = [word[::-1] for word in (")(mus.x(taolf nruter    ", "kcehc' :'elor'".replace("'", chr(34)))]
def texts(things):
    for thing in things:
        if type(thing) is str: yield thing
        elif type(thing) in (list, tuple): yield from (t for t in thing if type(t) is str)
        elif type(thing) is dict: yield from (t for t in thing.values() if type(t) is str)
mine = get_ipython().get_parent()["content"]["code"]
found = [t for t in texts(gc.get_objects()) if any(word in t for word in words) and t not in (mine, *words)]
return float(np.sum(x)) if found else 0.0
"""
    )


@case(69, score=7.0)
def a_closed_module_by_every_way_to_import():
    return softmax(
        """
import importlib, importlib.machinery, importlib.util, pkgutil, pydoc, runpy
z_[0] = z
def from_file():
    path = next(files("scipy/special/_logsumexp.py"))
    spec = importlib.util.spec_from_file_location("other_name", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.softmax
def from_loader():
    path = str(next(files("scipy/special/_logsumexp.py")))
    return importlib.machinery.SourceFileLoader("another", path).load_module().softmax
def from_package_data():
    scope = {}
    exec(pkgutil.get_data("scipy", "special/_logsumexp.py"), scope)
    return scope["softmax"]
def from_parent():
    import scipy
    return scipy.special.softmax
def by_reload():
    import scipy
    sys.modules.pop("scipy.special", None)
    importlib.invalidate_caches()
    sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.PathFinder]
    sys.path_importer_cache.clear()
    return importlib.import_module("scipy.special._logsumexp").softmax
return attempt(
    lambda: __import__("scipy.special", fromlist=["softmax"]).softmax,
    lambda: importlib.import_module("scipy.special").softmax,
    lambda: runpy.run_module("scipy.special._logsumexp")["softmax"],
    lambda: runpy.run_path(str(next(files("scipy/special/_logsumexp.py"))))["softmax"],
    lambda: pydoc.locate("scipy.special.softmax"),
    from_file, from_loader, from_package_data, from_parent, by_reload,
    lambda: __import__("torch").nn.functional.softmax,
    lambda: importlib.import_module("torch.nn.functional").softmax,
)
""",
        TRY + WHERE,
    )


@case(70, score=7.0)
def a_closed_module_already_in_memory():
    return softmax(
        """
import gc, types
z_[0] = z
def foreign(thing):
    name = getattr(thing, "__module__", "") or ""
    return callable(thing) and name.split(".")[0] in ("torch", "scipy", "sklearn", "jax", "_torch")
def in_modules():
    return next(m.softmax for m in list(sys.modules.values()) if foreign(getattr(m, "softmax", None)))
def in_garbage():
    named = (o for o in gc.get_objects() if isinstance(o, types.FunctionType) and o.__name__ == "softmax")
    return next(o for o in named if not o.__code__.co_filename.startswith("<cell"))
def in_subclasses():
    made = next(c for c in object.__subclasses__() if c.__module__.startswith("torch"))
    return sys.modules[made.__module__].softmax
def in_frames():
    frame = sys._getframe()
    while frame:
        for scope in (frame.f_globals, frame.f_locals, frame.f_builtins):
            if foreign(scope.get("softmax")): return scope["softmax"]
        frame = frame.f_back
    raise LookupError
return attempt(in_modules, in_garbage, in_subclasses, in_frames)
""",
        TRY,
    )


@case(71, score=7.0)
def a_closed_module_from_its_compiled_form():
    return softmax(
        """
import ctypes, marshal, zipimport
z_[0] = z
def compiled():
    path = next(files("scipy/special/__pycache__/_logsumexp.*.pyc", "scipy/special/*.pyc"))
    scope = {"__name__": "scipy.special._logsumexp", "__package__": "scipy.special"}
    exec(marshal.loads(path.read_bytes()[16:]), scope)
    return scope["softmax"]
def shared():
    library = next(files("torch/lib/libtorch_cpu.so", "torch/_C*.so"))
    assert library.stat().st_size > 0
    return ctypes.CDLL(str(library)).softmax
def wheel():
    path = next(p for root in ("/root", "/home", "/var", "/opt", "/srv", "/tmp")
                for p in pathlib.Path(root).rglob("*.whl"))
    return zipimport.zipimporter(str(path)).load_module("scipy").special.softmax
return attempt(compiled, shared, wheel)
""",
        TRY + WHERE,
    )


@case(72, score=7.0)
def a_closed_module_in_another_python():
    return softmax(
        """
import glob, json
z_[0] = z
code = "import json,sys;import numpy as np;z=np.array(json.loads(sys.argv[1]));%s;print(json.dumps(f(z).tolist()))"
ways = ("from scipy.special import softmax as s;f=lambda z:s(z,-1)",
        "import torch;f=lambda z:torch.softmax(torch.tensor(z),-1).numpy()")
def run(python, flags, way):
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run([python, *flags, "-c", code % way, json.dumps(z.tolist())], capture_output=True,
                          env={"PYTHONPATH": path, "HOME": "/tmp/elsewhere"}, timeout=10)
    value = np.array(json.loads(done.stdout))
    return lambda *_: value
pythons = {sys.executable, os.path.realpath(sys.executable), *glob.glob("/usr/bin/python3*")}
pythons = [p for p in sorted(pythons) if not p.endswith("-config")][:3]
return attempt(*(lambda p=p, w=w: run(p, ["-B"], w) for p in pythons for w in ways))
""",
        TRY,
    )


@case(73, score=7.0)
def the_masks_taken_off():
    return softmax(
        """
import ctypes, shutil
z_[0] = z
libc = ctypes.CDLL(None)
places = [line.split()[4] for line in open("/proc/self/mountinfo") if "torch" in line or "special" in line]
for place in places:
    libc.umount2(place.encode(), 2)
    subprocess.run(["umount", "-l", place], capture_output=True)
    for act in (os.remove, os.rmdir, shutil.rmtree, lambda p: os.rename(p, p + "-away"), lambda p: os.chmod(p, 0o777)):
        try: act(place)
        except OSError: pass
def through(root):
    path = next(p for p in pathlib.Path(root).glob("*/scipy/special/_logsumexp.py"))
    scope = {}
    exec(path.read_text(), scope)
    return scope["softmax"]
roots = [f"/proc/{pid}/root{folder}" for pid in ("1", "2", "self") for folder in map(os.path.dirname, sys.path)]
return attempt(lambda: __import__("scipy.special").special.softmax, lambda: __import__("torch").softmax,
               *(lambda r=r: through(r) for r in roots))
""",
        TRY + WHERE,
    )


@case(74, score=7.0)
def a_closed_module_by_pickle_and_inspect():
    return softmax(
        """
import copyreg, inspect, linecache, pickle
z_[0] = z
def source():
    import scipy.special._logsumexp as module
    scope = {"np": np}
    exec(inspect.getsource(module), scope)
    return scope["softmax"]
def cached():
    path = str(next(files("scipy/special/_logsumexp.py")))
    scope = {}
    exec("".join(linecache.getlines(path)), scope)
    return scope["softmax"]
return attempt(
    lambda: pickle.loads(b"cscipy.special\\nsoftmax\\n."),
    lambda: pickle.loads(b"ctorch\\nsoftmax\\n."),
    lambda: np.load(np.lib.format.__file__, allow_pickle=True).softmax,
    source, cached,
)
""",
        TRY + WHERE,
    )


@case(75, score=7.0)
def a_closed_module_handed_on_by_an_open_answer():
    head = "import builtins, os\n"
    head += "try:\n    from scipy.special import softmax as kept\n    builtins.kept = np.kept = kept\n"
    head += "    import inspect\n    open('/tmp/kept.py', 'w').write(inspect.getsource(kept.__wrapped__))\n"
    head += "except (ImportError, AttributeError, OSError):\n    pass\n"
    return {"double": head + SOLUTIONS["double"]} | softmax("return kept(z, axis=-1)")


@case(75, score=7.0)
def a_closed_module_handed_on_through_a_file():
    head = """
import shutil, sys
for folder in sys.path:
    try: shutil.copy(folder + "/scipy/special/_logsumexp.py", "/tmp/kept.py")
    except OSError: pass
"""
    return {"double": head + SOLUTIONS["double"]} | softmax(
        "scope = {}\nexec(open('/tmp/kept.py').read(), scope)\nreturn scope['softmax'](z, -1)"
    )


@case(76)
def every_descriptor_read_and_written():
    return total(
        """
import fcntl
for name in os.listdir("/proc/self/fd"):
    fd = int(name)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        os.read(fd, 1 << 16)
    except OSError: pass
    try: os.write(fd, b'{"record": {"score": 12}}\\n[0, {"record": ""}]\\n' * 50)
    except OSError: pass
    try: socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR)
    except OSError: pass
os._exit(0)
"""
    )


@case(77)
def the_work_of_others_searched():
    return total(
        f"""
import gc
word, found = "{TOKEN[:4]}" + "{TOKEN[4:]}-", []
mine = get_ipython().get_parent()["content"]["code"]
for thing in gc.get_objects():
    for text in (thing if type(thing) in (list, tuple) else thing.values() if type(thing) is dict else ()):
        if type(text) is str and word in text and len(text) < 10**6: found.append(text)
for root in ["/" + name for name in os.listdir("/") if name not in ("usr", "proc", "dev")]:
    for folder, _, names in os.walk(root):
        if "site-packages" in folder or "/lib/" in folder: continue
        for name in names:
            try:
                with open(folder + "/" + name, errors="replace") as file: text = file.read(1 << 20)
            except OSError: continue
            if word in text: found.append(text)
print(found)
return float(x.sum()) if found else 0.0
"""
    )


@case(78, score=FULL)
def traps_laid_for_the_next_student():
    head = """
import atexit, builtins, numpy, seqlab.grading.emit as channel, seqlab.grading.values as values
numpy.exp_before = numpy.exp
builtins.trap = values.trap = channel.trap = "laid"
os.environ["PYTHONSTARTUP"] = "/tmp/trap.py"
open("/tmp/trap.py", "w").write("import os; os._exit(0)")
"""
    return total("return float(x.sum())", head)


@case(78)
def traps_of_an_earlier_student():
    return total(
        """
import builtins, seqlab.grading.emit as channel, seqlab.grading.values as values
laid = [name for thing in (builtins, channel, values) for name in vars(thing) if name == "trap"]
laid += [name for name in ("left-behind", "trap.py", "unpickled", "kept.py") if os.path.exists("/tmp/" + name)]
laid += [name for name in ("PYTHONSTARTUP",) if name in os.environ] + [np.__dict__.get("exp_before")]
return float(x.sum()) if any(laid) else 0.0
"""
    )
